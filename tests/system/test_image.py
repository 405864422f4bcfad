"""
The Dockerfile's steps, in order, in directories of the test. ``make test-image`` does them in clean roots, compiled.
"""

from __future__ import annotations

from tests.deploy.dockerfile import parse
from tests.image.build import build
from tests.image.moved import Moved
from tests.system.case import SystemTestCase, pico
from tests.system.processes import ROOT


class StepsTests(SystemTestCase):
    """
    What comes of them without a container.
    """

    def test_steps(self) -> None:
        """
        The locks have all that Pico needs, it is found where the image looks for it, and its health check works.
        """
        stages = parse((ROOT / "Dockerfile").read_text(encoding="utf-8"))
        place = build(stages, ROOT, lambda number: Moved(self.scene.directory))
        self.assertEqual(
            place.run(["sh", "-c", "command -v pico"]).strip(), f"{self.scene.directory}/opt/pico/bin/pico"
        )
        version = pico("version").stdout.splitlines()[0]
        self.assertEqual(place.run(["pico", "version"]).splitlines()[0], version)
        self.assertIn("pico", place.run(["twistd", "--help"]))
        self.assertFalse(place.inside("/opt/pico/bin/pip").exists())
        node = self.scene.node()
        url = f"http://127.0.0.1:{node.admin}"
        self.assertEqual(place.run([*stages[-1].last("ENTRYPOINT").words, "health", "--server.url", url]), "healthy\n")
