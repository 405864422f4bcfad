"""
Tests for :mod:`pico.demo.parts`.
"""

from __future__ import annotations

import sys

from twisted.trial.unittest import SynchronousTestCase

from pico.demo.parts import AGENT, BALANCER, SERVICE, Node, Plan, Ports, Row, environment_of, rows_of

PORTS = Ports(proxy=1, upstream=2, admin=3, service=4)
NODES = [Node(1, "pico-1-aaaaaaa", "127.0.1.1", 11, 12, 13, 14), Node(2, "pico-2-bbbbbbb", "127.0.1.2", 21, 22, 23, 24)]


def flags_of(command: list[str]) -> dict[str, str]:
    words = [word for argument in command[4:] for word in argument.split("=", 1)]
    return dict(zip(words[::2], words[1::2], strict=True))


class PlanTests(SynchronousTestCase):
    def setUp(self) -> None:
        """
        Make the parts.
        """
        stages = Plan(PORTS, NODES).stages()
        self.names = [stage.name for stage in stages]
        self.parts = [part for stage in stages for part in stage.parts]

    def test_order(self) -> None:
        """
        What is needed by another is started before it, and the nodes together.
        """
        self.assertEqual(self.names, [SERVICE, "2 nodes", BALANCER, AGENT])
        self.assertEqual([part.name for part in self.parts], [SERVICE, "node 1", "node 2", BALANCER, AGENT])

    def test_no_sample(self) -> None:
        """
        Without the sample there are the nodes and what stands in front of them.
        """
        self.assertEqual([stage.name for stage in Plan(PORTS, NODES, sample=False).stages()], ["2 nodes", BALANCER])

    def test_commands(self) -> None:
        """
        All are started with this interpreter, listen on the loopback interface and know each other's ports.
        """
        service, first, second, balancer, agent = (part.command for part in self.parts)
        self.assertEqual(service, [sys.executable, "-m", "pico.demo.service", "4"])
        self.assertEqual(first[:4], [sys.executable, "-m", "pico", "server"])
        flags = flags_of(first)
        self.assertEqual(flags["--proxy.bind-addr"], "127.0.1.1:11")
        self.assertEqual(flags["--upstream.bind-addr"], "127.0.1.1:12")
        self.assertEqual(flags["--admin.bind-addr"], "127.0.1.1:13")
        self.assertEqual(flags["--cluster.gossip.bind-addr"], "127.0.1.1:14")
        self.assertEqual(flags["--cluster.node-id"], "pico-1-aaaaaaa")
        self.assertEqual(flags["--cluster.join"], "127.0.1.2:24")
        self.assertEqual(flags_of(second)["--cluster.join"], "127.0.1.1:14")
        self.assertEqual(
            balancer,
            [
                *(sys.executable, "-m", "pico.demo.balancer"),
                *("1=127.0.1.1:11,127.0.1.2:21", "2=127.0.1.1:12,127.0.1.2:22", "3=127.0.1.1:13,127.0.1.2:23"),
            ],
        )
        self.assertEqual(agent[:4], [sys.executable, "-m", "pico", "agent"])
        flags = flags_of(agent)
        self.assertEqual(flags["--endpoints"], "my-endpoint/127.0.0.1:4")
        self.assertEqual(flags["--connect.url"], "http://127.0.0.1:2")
        self.assertEqual(flags["--connections"], "2")

    def test_one_node(self) -> None:
        """
        One node joins nobody and gets one tunnel.
        """
        parts = [part for stage in Plan(PORTS, NODES[:1]).stages() for part in stage.parts]
        self.assertEqual([part.name for part in parts], [SERVICE, "node 1", BALANCER, AGENT])
        self.assertNotIn("--cluster.join", parts[1].command)
        self.assertEqual(flags_of(parts[3].command)["--connections"], "1")

    def test_probes(self) -> None:
        """
        The service is asked for its page, a node whether it is ready, the balancer whether all nodes know each other,
        and about the agent's tunnel.
        """
        self.assertEqual(
            [(part.address, part.path) for part in self.parts],
            [
                (("127.0.0.1", 4), "/"),
                (("127.0.1.1", 13), "/ready"),
                (("127.0.1.2", 23), "/ready"),
                (("127.0.0.1", 3), "/status/cluster/nodes"),
                (("127.0.0.1", 3), "/status/cluster/nodes"),
            ],
        )
        _, _, _, balancer, agent = self.parts
        one = b'{"id":"a","status":"active","endpoints":0,"upstreams":0}'
        two = b'{"id":"b","status":"active","endpoints":1,"upstreams":1}'
        self.assertFalse(balancer.is_up(b"[%b]" % one))
        self.assertFalse(balancer.is_up(b"[%b,%b]" % (one, two.replace(b"active", b"unreachable"))))
        self.assertTrue(balancer.is_up(b"[%b,%b]" % (one, two)))
        self.assertFalse(agent.is_up(b"[%b]" % one))
        self.assertTrue(agent.is_up(b"[%b,%b]" % (one, two)))


class RowsTests(SynchronousTestCase):
    def test_answers(self) -> None:
        """
        A list of nodes is read; of anything else nothing is made.
        """
        self.assertEqual(
            rows_of(b'[{"id":"a","status":"active","endpoints":2,"upstreams":3,"more":1}]\n'),
            [Row("a", "active", 2, 3)],
        )
        for body in (b"[]", b"{}", b"[1]", b'[{"id":"a"}]', b"3", b"not JSON", b"\xff", b""):
            self.assertEqual(rows_of(body), [], body)


class EnvironmentTests(SynchronousTestCase):
    def test_settings(self) -> None:
        """
        Settings of Pico in the environment do not reach the parts but for the secret; all else does.
        """
        kept = environment_of({"PATH": "/bin", "PICO_PROXY__TIMEOUT": "1s", "HOME": "/"}, "a secret")
        self.assertEqual(
            kept,
            {"PATH": "/bin", "HOME": "/", "PYTHONUNBUFFERED": "1", "PICO_CLUSTER__SECRET_KEYS": "a secret"},
        )
