"""
What operators see of a cluster: three nodes as processes, asked through each other.
"""

from __future__ import annotations

import json
import re
import signal
from typing import Any

import yaml

from tests.system.case import Node, flags, pico
from tests.system.http_client import fetch
from tests.system.processes import PICO, eventually
from tests.system.services import HTTPService
from tests.system.test_cluster import ClusterTestCase


class OperatorsTests(ClusterTestCase):
    """
    Nodes "a", "b" and "c"; "c" has an agent.
    """

    def start(self) -> list[Node]:
        """
        Start them.
        """
        nodes = self.cluster()
        service = self.scene.run(HTTPService("s"))
        self.scene.agent(nodes[2], "e", service.port)
        return nodes

    def ask(self, node: Node, *command: str, status: int = 0) -> str:
        """
        What ``pico status`` prints; its error if it fails.
        """
        result = pico("status", *command, f"--server.url=http://127.0.0.1:{node.admin}")
        self.assertEqual(result.returncode, status, result.stderr)
        return result.stderr if status else result.stdout

    def test_forward(self) -> None:
        """
        Every question can be asked about every node, through every other one.
        """
        a, _, c = self.start()
        self.assertEqual(self.ask(a, "upstream", "endpoints"), "{}\n")
        self.assertEqual(self.ask(a, "upstream", "endpoints", "--forward=c"), "e: 1\n")
        node = self.ask(a, "cluster", "node", "--forward=c")
        self.assertEqual(yaml.safe_load(node)["endpoints"], {"e": 1})
        self.assertTrue(node.startswith("id: c\nstatus: active\n"), node)
        tunnels = json.loads(self.ask(a, "upstream", "tunnels", "--forward=c", "-o", "json"))
        self.assertEqual(tunnels["total"], 1)
        self.assertIn("e:\n", self.ask(a, "proxy", "endpoints", "--forward=c"))
        nodes = self.ask(a, "cluster", "nodes", "--forward=b")
        self.assertEqual([each["id"] for each in yaml.safe_load(nodes)["nodes"]], ["a", "b", "c"])
        self.assertEqual(self.ask(c, "cluster", "node", "--forward=c"), node)

    def test_gossip(self) -> None:
        """
        What nodes have heard of each other, in the words of Piko's status command.
        """
        a, _, c = self.start()
        text = self.ask(a, "gossip", "nodes")
        entry = (
            r"- id: {}\n  addr: 127\.0\.0\.1:{}\n  version: \d+\n  left: false\n  unreachable: false\n"
            r"  expiry: 0001-01-01T00:00:00Z\n"
        )
        expected = "".join(entry.format(name, node.gossip) for name, node in zip("abc", (a, _, c), strict=True))
        self.assertRegex(text, f"^nodes:\n{expected}\n$")

        def entries(node: Node) -> list[dict[str, Any]]:
            found = yaml.safe_load(self.ask(node, "gossip", "node", "c"))
            self.assertEqual(found["nodemetadata"]["id"], "c")
            return list(found["entries"])

        eventually(lambda: entries(a) == entries(c), "a to know what c knows of itself")
        keys = {entry["key"]: entry["value"] for entry in entries(a)}
        self.assertEqual((keys["admin_addr"], keys["endpoint:e"]), (f"127.0.0.1:{c.admin}", "1 0"))

    def test_statuses(self) -> None:
        """
        Nodes by their status; one that was killed is asked in vain, soon.
        """
        a, b, c = self.start()
        c.program.kill()
        eventually(lambda: self.known(a).get("c") == "unreachable", "the death to be noticed")
        for status, expected in (("active", ["a", "b"]), ("unreachable", ["c"]), ("left", [])):
            found = yaml.safe_load(self.ask(a, "cluster", "nodes", f"--status={status}"))
            self.assertEqual([each["id"] for each in found["nodes"]], expected)
        said = self.ask(a, "upstream", "endpoints", "--forward=c", status=1)
        self.assertRegex(said, rf"^pico: http://\S+: upstream unreachable: node c at 127\.0\.0\.1:{c.admin}: .*\n$")
        said = self.ask(a, "upstream", "endpoints", "--forward=d", status=1)
        self.assertRegex(said, r"^pico: http://\S+: not found: no node d is known here; .*\n$")
        b.program.signal(signal.SIGTERM)
        eventually(lambda: self.known(a).get("b") == "left", "the goodbye to be heard")
        member = yaml.safe_load(self.ask(a, "gossip", "nodes", "-o", "json"))["nodes"][1]
        self.assertEqual((member["id"], member["left"], member["unreachable"]), ("b", True, False))
        self.assertRegex(member["expiry"], r"^20\d\d-")

    def test_node_that_stands_still(self) -> None:
        """
        A node that takes connections and says nothing is given up in bounded time.
        """
        a, b, _ = self.start()
        b.program.signal(signal.SIGSTOP)
        try:
            said = self.ask(a, "upstream", "endpoints", "--forward=b", status=1)
        finally:
            b.program.signal(signal.SIGCONT)
        self.assertRegex(said, r"^pico: http://\S+: upstream timeout: node b at \S+: no answer within 10s\n$")

    def test_metrics(self) -> None:
        """
        The numbers of gossip are there, also those of another node.
        """
        a, _, _ = self.start()
        for query, owner in (("", "a"), ("?forward=b", "b")):
            text = fetch(a.admin, f"/metrics{query}").body.decode()
            self.assertRegex(text, r'(?m)^pico_cluster_nodes\{status="active"\} 3\.0$')
            for name in ("packets_inbound", "packet_bytes_outbound", "delta_entries_inbound", "probes"):
                value = re.search(rf"(?m)^pico_gossip_{name}_total (\S+)$", text)
                assert value is not None, name
                self.assertGreater(float(value[1]), 0, (owner, name))
            for node in "abc":
                self.assertRegex(text, rf'(?m)^pico_gossip_version\{{node_id="{node}"\}} [1-9]')

    def test_watch(self) -> None:
        """
        Watching writes one document after the other.
        """
        a, _, _ = self.start()
        url = f"http://127.0.0.1:{a.admin}"
        program = self.scene.start(
            "watch",
            [
                *PICO,
                "status",
                "gossip",
                "nodes",
                *flags({"forward": "b", "watch": "200ms", "output": "json", "server.url": url}),
            ],
        )
        eventually(lambda: program.log.count("\n") >= 3, "three documents")
        program.signal(signal.SIGINT)
        program.wait()
        for line in program.log.splitlines()[:3]:
            self.assertEqual([each["id"] for each in json.loads(line)["nodes"]], ["a", "b", "c"])


class RedundantAgentTests(ClusterTestCase):
    """
    Agents with two tunnels.
    """

    def test_killed_node(self) -> None:
        """
        The tunnels stand at two nodes. When one of those is killed the endpoint is served on, and the lost tunnel goes
        to the third.
        """
        nodes = self.cluster()
        service = self.scene.run(HTTPService("s"))
        urls = ",".join(f"http://127.0.0.1:{node.upstream}" for node in nodes)
        agent = self.scene.start(
            "agent",
            [*PICO, "agent", "http", "e", str(service.port), f"--connect.url={urls}", "--connections=2"],
        )
        agent.wait_for_log(r"connected to \S+ \(node \w\), tunnel 2 of 2")

        def holding() -> list[Node]:
            return [node for node in nodes if node.program.running and node.tunnels("e") == 1]

        eventually(lambda: len(holding()) == 2, "tunnels at two nodes")
        self.wait_until_served(*nodes)
        lost, kept = holding()
        (third,) = (node for node in nodes if node not in (lost, kept))
        lost.program.kill()
        self.assertTrue(self.is_served(kept))
        eventually(lambda: holding() in ([kept, third], [third, kept]), "the lost tunnel at the third node")
        self.wait_until_served(kept, third)
        self.assertRegex(agent.log, r"e: .*; still served by another tunnel; dialling again in")

    def test_one_node(self) -> None:
        """
        With one node only there are two tunnels to it, and at a stop both go in order.
        """
        node = self.node("a")
        service = self.scene.run(HTTPService("s"))
        agent = self.scene.agent(node, "e", service.port, {"connections": 2}, connected=2)
        agent.wait_for_log("node a has another tunnel; looking for another node")
        self.assertTrue(self.is_served(node))
        agent.signal(signal.SIGTERM)
        self.assertEqual(agent.wait(), 0)
        node.wait_for_tunnels("e", 0)
