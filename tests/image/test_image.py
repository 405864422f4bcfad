"""
The image, made and run.
"""

from __future__ import annotations

import os
from pathlib import Path

from tests.deploy.clean_root import Root, StepFailed
from tests.deploy.dockerfile import Instruction, Stage, parse
from tests.image.build import build
from tests.system.case import Scene, SharedSceneTestCase
from tests.system.network import Host
from tests.system.processes import ROOT

#: A tar file of a Debian with Python and its headers.
CLEAN_ROOT = os.environ.get("CLEAN_ROOT", "")


class ImageTests(SharedSceneTestCase):
    """
    What comes of the Dockerfile.
    """

    if not CLEAN_ROOT:
        skip = "needs a clean root: make test-image"

    stage: Stage
    image: Root
    host: Host

    @classmethod
    def set_scene(cls, scene: Scene) -> None:
        """
        Make it.
        """
        stages = parse((ROOT / "Dockerfile").read_text(encoding="utf-8"))
        cls.stage = stages[-1]
        cls.image = build(
            stages, ROOT, lambda number: Root.unpacked(Path(CLEAN_ROOT), scene.directory / f"stage-{number}")
        )
        cls.host = scene.network().host()

    def inside(self, *words: str) -> list[str]:
        """
        A command line that runs a command in the image, on the host.
        """
        return self.host.command(self.image.command(words))

    def ask(self, *words: str) -> str:
        """
        Run a command in the image, on the host, and read what it prints.
        """
        return Root.checked(self.inside(*words))

    def test_compiled(self) -> None:
        """
        Pico is compiled, and whole: its commands have what they need.
        """
        self.assertIn("True", self.ask("python", "-c", "from pico.wire.compiled import COMPILED; print(COMPILED)"))
        self.assertIn("twisted", self.ask("pico", "version"))
        self.assertIn("pico", self.ask("twistd", "--help"))

    def test_nothing_else(self) -> None:
        """
        It has no compiler, nothing of what Pico was made from, and beside Pico nothing that installs packages.
        """
        for name in ("gcc", "cc", "mypy"):
            self.assertRaises(StepFailed, self.ask, "sh", "-c", f"command -v {name}")
        for name in ("src", "dist", "opt/build", "opt/pico/bin/pip"):
            self.assertFalse((self.image.path / name).exists(), name)

    def test_user_cannot_write(self) -> None:
        """
        Who runs in it is the user of the file, and owns nothing of what he runs.
        """
        self.assertEqual(self.ask("id", "-u").strip(), self.stage.last("USER").rest.split(":")[0])
        self.assertEqual(self.ask("find", "/opt/pico", "-writable", "-not", "-type", "l").strip(), "")

    def test_run(self) -> None:
        """
        It runs a node, its health check is content, and what stops it drains the node.
        """
        command = [*self.stage.last("ENTRYPOINT").words, *self.stage.last("CMD").words]
        node = self.scene.start("node", self.inside(*command))
        node.wait_for_log("ready: proxy :8000, upstream :8001, admin :8002, gossip :8003")
        check = self.stage.last("HEALTHCHECK")
        words = Instruction(0, "CMD", {}, check.rest.removeprefix("CMD ")).words
        self.assertEqual(self.ask(*words).strip(), "healthy")
        self.assertIn("Uid:\t10001\t10001\t10001\t10001", Path(f"/proc/{node.pid}/status").read_text())
        node.terminate()
        self.assertEqual(node.wait(), 0)
        # It wrote nothing, so it can be run with a file system that is read-only.
        self.assertEqual(self.image.owned_by(10001), [])
        self.assertRaises(StepFailed, self.ask, *words)
