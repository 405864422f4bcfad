"""
Tests for what commands take for granted.
"""

from __future__ import annotations

from collections.abc import Mapping

from twisted.trial.unittest import SynchronousTestCase

from tests.manual.places import PORTS, unmoved
from tests.manual.usual import unsaid

_FILES: Mapping[str, Mapping[str, object]] = {
    "node.yaml": {"proxy": {"bind_addr": "127.0.0.1:8000", "timeout": "1m"}, "admin": {"max_connections": 3}},
    "agent.yaml": {"connect": {"url": "http://localhost:8001"}},
    "empty.yaml": {},
}

_NODE = [
    "--proxy.bind-addr=:8000",
    "--upstream.bind-addr=:8001",
    "--admin.bind-addr=:8002",
    "--cluster.gossip.bind-addr=:8003",
]
_AGENT = ["--connect.url=http://localhost:8001", "--server.bind-addr=:5000"]

_CASES: list[tuple[str, list[str]]] = [
    ("server", _NODE),
    ("server --proxy.bind-addr :1 --admin.bind-addr=:2", [_NODE[1], _NODE[3]]),
    ("server --config.path node.yaml", _NODE[1:]),
    ("server --config.path=empty.yaml", _NODE),
    ("agent --endpoints a/1", _AGENT),
    ("agent http a 1 --server.url http://x", _AGENT[1:]),
    ("agent start --config.path agent.yaml", _AGENT[1:]),
    ("health --ready", ["--server.url=http://localhost:8002"]),
    ("status cluster nodes", ["--server.url=http://localhost:8002"]),
    ("drain", ["--server.url=http://localhost:8002"]),
    ("undrain --forward a", ["--server.url=http://localhost:8002"]),
    ("status cluster nodes --server.url http://x", []),
    ("server -h", []),
    ("version", []),
    ("", []),
]


class UnsaidTests(SynchronousTestCase):
    """
    Flags for what is left to defaults.
    """

    def test_cases(self) -> None:
        """
        What neither flag nor file says is said; what they say stays.
        """
        for line, expected in _CASES:
            self.assertEqual(unsaid(line.split(), _FILES.__getitem__), expected, line)

    def test_can_be_moved(self) -> None:
        """
        Tests have all of these ports elsewhere.
        """
        self.assertEqual(unmoved(" ".join((*_NODE, *_AGENT))), set())
        self.assertIn(8002, PORTS)
