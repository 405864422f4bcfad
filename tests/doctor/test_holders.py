"""
Tests for :mod:`pico.doctor.holders`.
"""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from pico.doctor.holders import Holder, find_holder, listening_inodes

_TABLE = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F40 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0 100 0 0 10 0
   1: 0100007F:1F40 0100007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 0 20 4 0 10 -1
   2: 00000000:1F41 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4713 1 0 100 0 0 10 0
"""

_TABLE6 = """\
  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when \
retrnsmt   uid  timeout inode
   0: 00000000000000000000000000000000:1F42 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 \
00000000     0        0 4714 1 0 100 0 0 10 0
"""


class HolderTests(SynchronousTestCase):
    """
    Who listens.
    """

    def setUp(self) -> None:
        """
        Lay out what the kernel would show.
        """
        self.proc = Path(self.mktemp())
        (self.proc / "net").mkdir(parents=True)
        (self.proc / "net" / "tcp").write_text(_TABLE)
        (self.proc / "net" / "tcp6").write_text(_TABLE6)
        (self.proc / "self").mkdir()

    def process(self, pid: int, command: list[str], *links: str) -> None:
        """
        Add a process with open files.
        """
        folder = self.proc / str(pid)
        (folder / "fd").mkdir(parents=True)
        (folder / "cmdline").write_bytes("\0".join([*command, ""]).encode())
        for number, link in enumerate(links):
            (folder / "fd" / str(number)).symlink_to(link)

    def test_inodes(self) -> None:
        """
        Sockets that listen are found by their port, connections are not.
        """
        self.assertEqual(listening_inodes(_TABLE, 8000), {4711})
        self.assertEqual(listening_inodes(_TABLE6, 8002), {4714})
        self.assertEqual(listening_inodes(_TABLE, 4711), set())
        self.assertEqual(listening_inodes("", 8000), set())

    def test_find(self) -> None:
        """
        The process is found by its open files, and named by its program or script.
        """
        self.process(7, ["/usr/bin/other"], "/dev/null", "socket:[9999]")
        self.process(12, ["nginx: master process nginx", "-g", "x"], "socket:[4711]")
        self.process(13, ["/usr/bin/python3.11", "-u", "/opt/pico/bin/pico", "server"], "socket:[4714]")
        self.assertEqual(str(find_holder(8000, self.proc)), "nginx (pid 12)")
        self.assertEqual(find_holder(8002, self.proc), Holder(13, "pico"))

    def test_unknown(self) -> None:
        """
        Of other users' processes, of free ports and of other systems nothing is known.
        """
        self.process(7, ["/usr/bin/other"])
        self.assertIsNone(find_holder(8001, self.proc))
        self.assertIsNone(find_holder(1, self.proc))
        self.assertIsNone(find_holder(8000, self.proc / "nowhere"))

    def test_gone(self) -> None:
        """
        A process may end while it is looked at.
        """
        (self.proc / "7" / "fd").mkdir(parents=True)
        (self.proc / "7" / "fd" / "0").symlink_to("socket:[4711]")
        self.assertEqual(find_holder(8000, self.proc), Holder(7, "?"))
