"""
The package's life on a machine.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from tests.deploy.clean_root import Root, StepFailed
from tests.system.case import SystemTestCase

#: A tar file of a Debian with Python.
CLEAN_ROOT = os.environ.get("CLEAN_ROOT", "")

#: The package's file.
PACKAGE = os.environ.get("PACKAGE", "")

#: What dpkg and the tools for users keep for themselves.
_OTHERS = re.compile(
    r"/(proc|dev|sys|run|tmp)/|/var/(lib/dpkg|log/dpkg|cache)|/etc/\.?(passwd|group|g?shadow|sub[ug]id)"
)

#: Stands for systemd, which does not run in there. It writes down what it was asked.
_SYSTEMCTL = '#!/bin/sh\necho "$*" >>/run/asked\n'


class PackageTests(SystemTestCase):
    """
    Install, upgrade, remove, purge.
    """

    if not CLEAN_ROOT or not PACKAGE:
        skip = "needs a clean root and the package: make test-package"

    root: Root

    def setUp(self) -> None:
        """
        Make a machine, with something that looks like systemd.
        """
        super().setUp()
        self.root = Root.unpacked(Path(CLEAN_ROOT), self.scene.directory / "root")
        systemctl = self.root.inside("/usr/bin/systemctl")
        systemctl.write_text(_SYSTEMCTL)
        systemctl.chmod(0o755)
        self.root.inside("/run/systemd/system").mkdir(parents=True, exist_ok=True)
        shutil.copy(PACKAGE, self.root.inside("/tmp/pico.deb"))

    def dpkg(self, *words: str) -> str:
        """
        Run dpkg in there.
        """
        return self.root.run(["env", "DEBIAN_FRONTEND=noninteractive", "dpkg", *words])

    def asked(self) -> list[str]:
        """
        What systemd was asked since the last time.
        """
        path = self.root.inside("/run/asked")
        text = path.read_text() if path.exists() else ""
        path.unlink(missing_ok=True)
        return text.splitlines()

    def files(self) -> set[str]:
        """
        All files of the machine, but others' notes.
        """
        found = (str(path).removeprefix(str(self.root.path)) for path in self.root.path.rglob("*"))
        return {name for name in found if not _OTHERS.match(name)}

    def mode(self, name: str) -> str:
        """
        Owner and mode of a file.
        """
        return self.root.run(["stat", "--format=%U:%G %a", name]).strip()

    def test_install(self) -> None:
        """
        It brings a command that works, the configuration and the units, and starts nothing.
        """
        self.dpkg("--install", "/tmp/pico.deb")
        self.assertEqual(self.asked(), ["daemon-reload"])
        self.assertRegex(self.root.run(["pico", "version"]), r"^pico \S+\npython 3\.\d+")
        self.assertIn("pico", self.root.run(["/opt/pico/bin/twistd", "--help"]))
        self.root.run(["pico", "config", "check", "server", "--config.path", "/etc/pico/pico.yaml"])
        self.assertEqual(self.mode("/etc/pico/pico.yaml"), "root:pico 640")
        self.assertEqual(self.mode("/etc/pico/agents"), "root:root 755")
        foreign = self.root.run(["find", "/opt/pico", "!", "-user", "root", "-o", "-perm", "/022", "!", "-type", "l"])
        self.assertEqual(foreign, "")
        # Each unit starts a program that is there.
        units = self.root.inside("/usr/lib/systemd/system")
        for unit in units.glob("pico*.service"):
            for program in re.findall(r"^ExecStart=(\S+)", unit.read_text(), re.MULTILINE):
                self.root.run(["test", "-x", program])
        self.assertEqual(len(list(units.glob("pico*"))), 5)
        # Running it writes nothing beside it.
        self.assertEqual(self.root.run(["dpkg", "--verify", "pico-proxy"]), "")

    def test_node(self) -> None:
        """
        A node runs from it, as its own user, with its own configuration.
        """
        self.dpkg("--install", "/tmp/pico.deb")
        uid, gid = (self.root.run(["id", option, "pico"]).strip() for option in ("-u", "-g"))
        self.root.user = f"{uid}:{gid}"
        host = self.scene.network().host()
        command = ["pico", "server", "--config.path", "/etc/pico/pico.yaml"]
        node = self.scene.start("node", host.command(self.root.command(command)))
        node.wait_for_log("ready: proxy :8000")
        Root.checked(host.command(self.root.command(["pico", "health", "--ready"])))
        node.terminate()
        self.assertEqual(node.wait(), 0)
        # It wrote nothing, so the unit's read-only file system is enough for it.
        self.assertEqual(self.root.owned_by(int(uid)), [])

    def test_upgrade(self) -> None:
        """
        An upgrade keeps what the administrator has written, and restarts what runs, not more.
        """
        self.dpkg("--install", "/tmp/pico.deb")
        config = self.root.inside("/etc/pico/pico.yaml")
        config.write_text("grace_period: 5s\n")
        config.chmod(0o600)
        self.asked()
        self.dpkg("--install", "/tmp/pico.deb")
        self.assertEqual(self.asked(), ["daemon-reload", "try-restart pico.service pico-agent@*.service"])
        self.assertEqual(config.read_text(), "grace_period: 5s\n")
        self.assertEqual(self.mode("/etc/pico/pico.yaml"), "root:pico 600")

    def test_remove(self) -> None:
        """
        Removed, it has stopped everything, and leaves the configuration; purged, it leaves nothing.
        """
        before = self.files()
        self.dpkg("--install", "/tmp/pico.deb")
        self.root.run(["pico", "version"])
        self.asked()
        self.dpkg("--remove", "pico-proxy")
        self.assertEqual(
            self.asked(),
            [
                "disable --now pico-proxy.socket pico-upstream.socket pico-admin.socket",
                "disable --now pico.service",
                "stop pico-agent@*.service",
                "daemon-reload",
            ],
        )
        self.assertRaises(StepFailed, self.root.run, ["pico", "version"])
        self.assertTrue(self.root.inside("/etc/pico/pico.yaml").exists())
        self.dpkg("--purge", "pico-proxy")
        self.assertEqual(self.files() - before, set())
        self.assertRaises(StepFailed, self.root.run, ["id", "pico"])

    def test_purge_keeps_what_is_not_its_own(self) -> None:
        """
        The configuration of agents is the administrator's.
        """
        self.dpkg("--install", "/tmp/pico.deb")
        self.root.inside("/etc/pico/agents/my-app.yaml").write_text("endpoints: a/1\n")
        self.dpkg("--purge", "pico-proxy")
        self.assertTrue(self.root.inside("/etc/pico/agents/my-app.yaml").exists())
        self.assertFalse(self.root.inside("/etc/pico/pico.yaml").exists())
