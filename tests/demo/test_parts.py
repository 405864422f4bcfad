"""
Tests for :mod:`pico.demo.parts`.
"""

from __future__ import annotations

import sys

from twisted.trial.unittest import SynchronousTestCase

from pico.demo.parts import AGENT, NODE, SERVICE, Ports, environment_of, is_registered, make_parts


class MakePartsTests(SynchronousTestCase):
    def setUp(self) -> None:
        """
        Make the parts.
        """
        self.parts = make_parts(Ports(proxy=1, upstream=2, admin=3, service=4))

    def test_order(self) -> None:
        """
        What is needed by another is started before it.
        """
        self.assertEqual([part.name for part in self.parts], [SERVICE, NODE, AGENT])

    def test_commands(self) -> None:
        """
        All are started with this interpreter, listen on the loopback interface and know each other's ports.
        """
        service, node, agent = (part.command for part in self.parts)
        self.assertEqual(service, [sys.executable, "-m", "pico.demo.service", "4"])
        self.assertEqual(node[:4], [sys.executable, "-m", "pico", "server"])
        flags = dict(zip(node[4::2], node[5::2], strict=True))
        self.assertEqual(flags["--proxy.bind-addr"], "127.0.0.1:1")
        self.assertEqual(flags["--upstream.bind-addr"], "127.0.0.1:2")
        self.assertEqual(flags["--admin.bind-addr"], "127.0.0.1:3")
        self.assertEqual(flags["--cluster.gossip.bind-addr"], "127.0.0.1:0")
        self.assertEqual(agent[:4], [sys.executable, "-m", "pico", "agent"])
        flags = dict(zip(agent[4::2], agent[5::2], strict=True))
        self.assertEqual(flags["--endpoints"], "my-endpoint/127.0.0.1:4")
        self.assertEqual(flags["--connect.url"], "http://127.0.0.1:2")

    def test_probes(self) -> None:
        """
        The service is asked for its page, the node whether it is ready, and about the agent's tunnel.
        """
        self.assertEqual(
            [(part.port, part.path) for part in self.parts],
            [(4, "/"), (3, "/ready"), (3, "/status/upstream/endpoints")],
        )
        service, node, agent = self.parts
        self.assertTrue(service.is_up(b"<!doctype html>"))
        self.assertTrue(node.is_up(b'{"status":"ready"}'))
        self.assertFalse(agent.is_up(b"{}"))
        self.assertTrue(agent.is_up(b'{"my-endpoint":1}'))


class IsRegisteredTests(SynchronousTestCase):
    def test_answers(self) -> None:
        """
        Only an object that counts at least one tunnel of the endpoint will do.
        """
        for body, expected in (
            (b'{"my-endpoint":1}\n', True),
            (b'{"my-endpoint":0}', False),
            (b'{"other":1}', False),
            (b"{}", False),
            (b'["my-endpoint"]', False),
            (b"not JSON", False),
            (b"\xff", False),
            (b"", False),
        ):
            self.assertEqual(is_registered(body), expected, body)


class EnvironmentTests(SynchronousTestCase):
    def test_settings(self) -> None:
        """
        Settings of Pico in the environment do not reach the parts; all else does.
        """
        kept = environment_of({"PATH": "/bin", "PICO_PROXY__TIMEOUT": "1s", "HOME": "/"})
        self.assertEqual(kept, {"PATH": "/bin", "HOME": "/", "PYTHONUNBUFFERED": "1"})
