"""
Tests for moving a page's ports and directories.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.manual.places import PORTS, Places, unmoved

_PLACES = Places({port: port + 20_000 for port in PORTS}, "/tmp/x")

_MOVED = [
    ("curl http://localhost:8000/x", "curl http://localhost:28000/x"),
    ("a/localhost:4000,b/5000", "a/localhost:24000,b/25000"),
    ("proxy :8000, upstream :8001.", "proxy :28000, upstream :28001."),
    ("listen 443 ssl;", "listen 20443 ssl;"),
    ("-w :8002", "-w :28002"),
    ("18000 8000ms 1.8000 x8000 80001", "18000 8000ms 1.8000 x8000 80001"),
    ("cat /etc/pico/pico.yaml", "cat /tmp/x/etc/pico/pico.yaml"),
    ("/opt/pico/bin/pico", "/tmp/x/opt/pico/bin/pico"),
    ("x >/var/log/pico.log", "x >/tmp/x/var/log/pico.log"),
    ("tail '/var/log/pico.log' --a=/etc/b", "tail '/tmp/x/var/log/pico.log' --a=/tmp/x/etc/b"),
    ("docs/etc/x ~/etc/y /etcetera http://h/etc/z", "docs/etc/x ~/etc/y /etcetera http://h/etc/z"),
]


class PlacesTests(SynchronousTestCase):
    """
    What a page says, and what that is in a test.
    """

    def test_moved(self) -> None:
        """
        Ports and directories are moved, and nothing that looks a little like them.
        """
        for text, expected in _MOVED:
            self.assertEqual(_PLACES.moved(text), expected)

    def test_unmoved(self) -> None:
        """
        A port that no test has elsewhere is noticed.
        """
        self.assertEqual(unmoved("localhost:7000 127.0.0.1:7001 :7002 [::1]:7003"), {"7000", "7001", "7002", "7003"})
        self.assertEqual(unmoved("localhost:8000 127.0.0.1:39084 21:54:57 a:1"), set())
