"""
What the Debian package is made of.
"""

from __future__ import annotations

import re
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

ROOT = Path(__file__).parents[2]
DEBIAN = ROOT / "etc" / "debian"

SCRIPTS = ("postinst", "prerm", "postrm")


class PackageTests(SynchronousTestCase):
    """
    The parts fit together, and fit the units.
    """

    def setUp(self) -> None:
        """
        Read them.
        """
        self.text = {path.name: path.read_text(encoding="utf-8") for path in DEBIAN.iterdir()}
        self.build = self.text["build"]

    def test_sources(self) -> None:
        """
        Whatever is put into the package is there.
        """
        sources = re.findall(r"(?<![\w./$-])(etc/[\w./-]*[\w/])", self.build)
        self.assertIn("etc/pico.yaml", sources)
        for source in sources:
            self.assertTrue((ROOT / source).exists(), source)
        for script in SCRIPTS:
            self.assertIn(script, self.text)

    def test_control(self) -> None:
        """
        Each gap of the control file is filled by the build, which fills no others; the name is that of the
        distribution.
        """
        control = self.text["control.in"]
        gaps = set(re.findall(r"@([A-Z_]+)@", control))
        self.assertEqual(gaps, set(re.findall(r"s/@([A-Z_]+)@", self.build)))
        name = re.search(r"^name = (\S+)", (ROOT / "setup.cfg").read_text(encoding="utf-8"), re.MULTILINE)
        assert name is not None
        self.assertTrue(control.startswith(f"Package: {name[1]}\n"))
        # A line that says nothing would end the description, and the file.
        self.assertNotIn("\n\n", control)

    def test_configuration_is_kept(self) -> None:
        """
        Every file below /etc is one that dpkg asks about before it replaces it.
        """
        installed = re.findall(r'"\$stage(/etc/[\w./-]+\w)"\n', self.build)
        directories = re.findall(r'install -d "\$stage(/etc/[\w./-]+)"', self.build)
        self.assertEqual(self.text["conffiles"].split(), sorted(set(installed) - set(directories)))

    def test_places(self) -> None:
        """
        The units start what is in the package, with the configuration that is in it.
        """
        for unit in (ROOT / "etc" / "systemd").glob("*.service"):
            for program in re.findall(r"^ExecStart=(\S+)", unit.read_text(encoding="utf-8"), re.MULTILINE):
                self.assertEqual(program, "/opt/pico/bin/pico")
        self.assertIn("home=$scratch/stage/opt/pico\n", self.build)
        self.assertIn("etc/systemd/*", self.build)
        node = (ROOT / "etc" / "systemd" / "pico.service").read_text(encoding="utf-8")
        self.assertIn(" --config.path /etc/pico/pico.yaml\n", node)

    def test_user(self) -> None:
        """
        The user is the one that systemd looks for: it has the name of the node's unit, which names no other one.
        """
        self.assertRegex(self.text["sysusers.conf"], r"(?m)^u pico - ")
        node = (ROOT / "etc" / "systemd" / "pico.service").read_text(encoding="utf-8")
        self.assertIn("\nDynamicUser=yes\n", node)
        self.assertNotIn("\nUser=", node)
        for line in self.text["tmpfiles.conf"].splitlines():
            if not line.startswith("#"):
                self.assertRegex(line, r"^z /etc/pico/\S+ 06[04]0 root (pico|root) -$")

    def test_units(self) -> None:
        """
        The scripts know every unit; they start and enable none, and stop the sockets before the node.
        """
        for script in SCRIPTS:
            self.assertTrue((DEBIAN / script).read_text(encoding="utf-8").startswith("#!/bin/sh\n"))
            self.assertIsNone(re.search(r"systemctl (enable|start|restart|reenable|preset)", self.text[script]), script)
        removed = self.text["prerm"]
        places = [removed.find(f" {unit.name}") for unit in (ROOT / "etc" / "systemd").glob("*.socket")]
        self.assertEqual(len(places), 3)
        self.assertTrue(all(0 < place < removed.find(" pico.service") for place in places))
