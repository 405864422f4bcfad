"""
What must be true of the tree as a whole.
"""

from __future__ import annotations

import os
import pkgutil
import re
import subprocess
from collections import Counter
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import pico
from pico.config.agent import AgentConfig
from pico.config.load import load
from pico.config.server import ServerConfig

ROOT = Path(__file__).parent.parent


class ExampleTests(SynchronousTestCase):
    """
    The examples in ``etc`` are valid.
    """

    def test_node(self) -> None:
        """
        ``etc/pico.yaml`` holds the defaults, spelled out.
        """
        text = (ROOT / "etc" / "pico.yaml").read_text(encoding="utf-8")
        loaded = load(ServerConfig, yaml_text=text, yaml_source="etc/pico.yaml")
        self.assertEqual(loaded.config, ServerConfig())

    def test_agent(self) -> None:
        """
        ``etc/agent.yaml`` exposes something.
        """
        text = (ROOT / "etc" / "agent.yaml").read_text(encoding="utf-8")
        loaded = load(AgentConfig, yaml_text=text, yaml_source="etc/agent.yaml")
        self.assertEqual([listener.endpoint_id for listener in loaded.config.listeners], ["my-endpoint"])


class TreeTests(SynchronousTestCase):
    """
    Traps that others fell into.
    """

    def test_twisted_is_not_ours(self) -> None:
        """
        A package file beside the plugin would break Twisted where Pico is installed.
        """
        self.assertEqual(list((ROOT / "twisted").rglob("__init__.py")), [])

    def test_jobs(self) -> None:
        """
        CI runs every kind of test once, and every module of the system tests.
        """
        environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
        command = ["make", "--file=.ci/jobs.mk", "--no-print-directory", "--dry-run", "together", "alone"]
        printed = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True).stdout
        jobs = Counter(re.findall(r"-m tests\.job (\S+)", printed))
        modules = {f"system-{path.stem}" for path in (ROOT / "tests" / "system").glob("test_*.py")}
        expected = modules | {"lint", "types", "test", "docs", "simulation", "compiled", "compiled-units"}
        self.assertEqual({job: jobs[job] for job in expected}, dict.fromkeys(expected, 1))

    def test_version(self) -> None:
        """
        The version is one that installers understand.
        """
        self.assertRegex(pico.__version__, r"^\d+\.\d+\.\d+(\.dev\d+|a\d+|b\d+|rc\d+)?$")

    def test_links(self) -> None:
        """
        The pages beside the manual lead to something.
        """
        for page in ("README.md", "CONTRIBUTING.md"):
            text = (ROOT / page).read_text(encoding="utf-8")
            for target in re.findall(r"\]\(([^)#:]+)\)", text):
                self.assertTrue((ROOT / target).exists(), f"{page}: {target}")

    def test_table_of_pages(self) -> None:
        """
        The README names every page of the manual, but for its own table and the drawings of states.
        """
        named = re.findall(r"\]\((docs/[^)#]+)\)", (ROOT / "README.md").read_text(encoding="utf-8"))
        pages = {str(path.relative_to(ROOT)) for path in (ROOT / "docs").rglob("*.md")}
        left_out = {page for page in pages - set(named) if not page.startswith(("docs/states/", "docs/_build/"))}
        self.assertEqual(left_out, {"docs/index.md"})

    def test_references(self) -> None:
        """
        What docstrings refer to by its full name is there.
        """
        for folder in ("pico", "tests"):
            for path in (ROOT / folder).rglob("*.py"):
                for name in re.findall(r":\w+:`~?((?:pico|tests)\.[\w.]+)`", path.read_text(encoding="utf-8")):
                    try:
                        pkgutil.resolve_name(name)
                    except (ImportError, AttributeError):
                        self.fail(f"{path.relative_to(ROOT)}: there is no {name}")

    def test_no_machine_paths(self) -> None:
        """
        Nothing in the tree knows the machine that it was written on.
        """
        found = [
            str(path)
            for folder in ("pico", "docs", "etc", "twisted")
            for path in (ROOT / folder).rglob("*")
            if path.suffix in (".py", ".md", ".yaml") and "/work/" in path.read_text(encoding="utf-8")
        ]
        self.assertEqual(found, [])
