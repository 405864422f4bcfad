"""
The image, as its file says it.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
from twisted.trial.unittest import SynchronousTestCase

from pico.cli.main import pico
from pico.config.server import ServerConfig
from pico.config.units import parse_duration
from tests.deploy.dockerfile import DockerfileError, Instruction, Stage, allowed, expand, parse

ROOT = Path(__file__).parents[2]
LOCKED = ROOT / "etc" / "docker"

#: What has no place where nobody builds.
_COMPILER = re.compile(r"\b(apt-get|apt|pip|gcc|cc|build-essential|python3-dev)\b")


class ReaderTests(SynchronousTestCase):
    """
    The reader of such files.
    """

    def test_parts(self) -> None:
        """
        Stages, flags, lines that go on, comments among them, both forms of commands.
        """
        text = 'ARG B=x:1\nFROM ${B} AS one\nRUN a \\\n  # why\n  && b\nFROM $B\nCOPY --from=one /c /d\nCMD ["e f"]\n'
        one, two = parse(text)
        self.assertEqual((one.base, one.name, two.base, two.name), ("x:1", "one", "x:1", ""))
        self.assertEqual(one.instructions, (Instruction(3, "RUN", {}, "a && b"),))
        self.assertEqual(two.last("COPY"), Instruction(7, "COPY", {"from": "one"}, "/c /d"))
        self.assertEqual(two.last("CMD").words, ["e f"])

    def test_refused(self) -> None:
        """
        What it does not understand it does not pass over.
        """
        for text in ("RUN a", "FROM a\nADD b c", "FROM a\nRUN <<EOF\nb\nEOF", "FROM a\nRUN b \\\n"):
            self.assertRaises(DockerfileError, parse, text)
        self.assertRaises(DockerfileError, parse("FROM a")[0].last, "USER")

    def test_expand(self) -> None:
        """
        Variables have values, or none.
        """
        self.assertEqual(expand("/a:$PATH:${X}:$Y", {"PATH": "/b", "X": "c"}), "/a:/b:c:")

    def test_allowed(self) -> None:
        """
        Only what is named gets to the builder.
        """
        ignore = ["*", "!pico", "!etc/docker"]
        for path, expected in (
            ("pico", True),
            ("pico/a/b.py", True),
            ("picos", False),
            ("etc", False),
            (".git", False),
        ):
            self.assertEqual(allowed(ignore, path), expected, path)


class ImageTests(SynchronousTestCase):
    """
    Pico's own.
    """

    build: Stage
    image: Stage

    def setUp(self) -> None:
        """
        Read it.
        """
        self.build, self.image = parse((ROOT / "Dockerfile").read_text(encoding="utf-8"))

    def test_sources(self) -> None:
        """
        Whatever is copied is there, and is sent to the builder, which is sent nothing that it does not need.
        """
        ignore = (ROOT / ".dockerignore").read_text(encoding="utf-8").split("\n")
        self.assertIn("*", ignore)
        copied = [name for copy in self.build.all("COPY") for name in copy.words[:-1]]
        for name in copied:
            self.assertTrue((ROOT / name).exists(), name)
            self.assertTrue(allowed(ignore, name), name)
        for line in ignore:
            if line.startswith("!"):
                self.assertTrue(any(allowed([line], name) for name in copied), line)

    def test_package_data(self) -> None:
        """
        What the wheel is made of is copied: each file that setup.cfg names.
        """
        copied = {name for copy in self.build.all("COPY") for name in copy.words[:-1]}
        setup = (ROOT / "setup.cfg").read_text(encoding="utf-8")
        for key in ("long_description = file:", "license_files ="):
            found = re.search(rf"^{key}\s*(\S+)", setup, re.MULTILINE)
            assert found is not None
            self.assertIn(found[1], copied)

    def test_locked(self) -> None:
        """
        Each package that is installed from an index has its version and hashes.
        """
        for run in self.build.all("RUN"):
            for command in re.split(r"&&|;", run.rest):
                if "pip install" in command:
                    self.assertTrue("--require-hashes" in command or "--no-index" in command, command)
                if "pip wheel" in command:
                    self.assertIn("--no-build-isolation", command)
                    self.assertIn("--no-deps", command)

    def test_lock_is_current(self) -> None:
        """
        The locks hold everything that setup.cfg asks for, and agree with each other.
        """
        runtime, build = (_locked(name) for name in ("requirements.txt", "build-requirements.txt"))
        setup = (ROOT / "setup.cfg").read_text(encoding="utf-8")
        wanted = re.search(r"^install_requires =\n((?:    .*\n)+)", setup, re.MULTILINE)
        assert wanted is not None
        for line in wanted[1].split("\n"):
            name = re.split(r"[\[ >]", line.strip())[0]
            if name:
                self.assertIn(_normal(name), runtime)
        for name in ("mypy", "mypy-zope", "setuptools", "wheel"):
            self.assertIn(name, build)
        self.assertEqual(
            {name: build[name] for name in build.keys() & runtime.keys() if build[name] != runtime[name]}, {}
        )

    def test_no_compiler(self) -> None:
        """
        The image has no compiler and installs nothing; it takes its files from the stage that did.
        """
        self.assertIn("gcc", " ".join(run.rest for run in self.build.all("RUN")))
        for run in self.image.all("RUN"):
            self.assertIsNone(_COMPILER.search(run.rest), run.rest)
        self.assertEqual([copy.flags["from"] for copy in self.image.all("COPY")], [self.build.name])

    def test_user(self) -> None:
        """
        It runs as a user with a number that is not root's, and the file system has that user.
        """
        user = self.image.last("USER").rest
        self.assertEqual(user, "10001:10001")
        made = " ".join(run.rest for run in self.image.all("RUN"))
        self.assertIn("groupadd --gid 10001", made)
        self.assertIn("useradd --uid 10001 --gid 10001", made)
        order = [instruction.word for instruction in self.image.instructions]
        self.assertNotIn("RUN", order[order.index("USER") :])

    def test_ports(self) -> None:
        """
        The ports are those of the defaults.
        """
        config = ServerConfig()
        ports = [
            address.rpartition(":")[2]
            for address in map(
                str,
                (
                    config.proxy.bind_addr,
                    config.upstream.bind_addr,
                    config.admin.bind_addr,
                    config.cluster.gossip.bind_addr,
                ),
            )
        ]
        self.assertEqual(self.image.last("EXPOSE").words, [*ports, f"{ports[-1]}/udp"])

    def test_commands(self) -> None:
        """
        What it starts, and what its health check asks, are commands of Pico.
        """
        self.assertEqual(self.image.last("ENTRYPOINT").words, ["pico"])
        check = self.image.last("HEALTHCHECK")
        form, _, command = check.rest.partition(" ")
        program, *words = Instruction(check.line, form, {}, command).words
        self.assertEqual((form, program), ("CMD", "pico"))
        for name in (words[0], *self.image.last("CMD").words):
            self.assertEqual(_command(name).name, name)

    def test_health_check_is_patient(self) -> None:
        """
        The command gives up before Docker does, so that the log of the check says why.
        """
        check = self.image.last("HEALTHCHECK")
        option = next(option for option in _command("health").params if option.name == "timeout")
        self.assertLess(parse_duration(str(option.default)), parse_duration(check.flags["timeout"]))

    def test_stopping(self) -> None:
        """
        It is stopped by what drains a node.
        """
        self.assertEqual(self.image.last("STOPSIGNAL").rest, "SIGTERM")

    def test_where_programs_are(self) -> None:
        """
        The environment that is copied is where the program is looked for, under the name under which it was made.
        """
        (place,) = {copy.words[-1] for copy in self.image.all("COPY")}
        self.assertEqual({copy.words[0] for copy in self.image.all("COPY")}, {place})
        variables = dict(word.partition("=")[::2] for env in self.image.all("ENV") for word in shlex.split(env.rest))
        self.assertEqual(variables["PATH"], f"{place}/bin:$PATH")
        self.assertTrue(any(f"-m venv {place}" in run.rest for run in self.build.all("RUN")))


def _command(name: str) -> click.Command:
    command = pico.get_command(click.Context(pico), name)
    assert command is not None, name
    return command


def _locked(name: str) -> dict[str, str]:
    text = (LOCKED / name).read_text(encoding="utf-8")
    entries = re.split(r"\n(?=[A-Za-z])", text)
    found: dict[str, str] = {}
    for entry in entries:
        match = re.match(r"([A-Za-z0-9._-]+)(?:\[[a-z,]+\])?==(\S+)", entry)
        if match is not None:
            assert "--hash=sha256:" in entry, entry
            found[_normal(match[1])] = match[2]
    return found


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
