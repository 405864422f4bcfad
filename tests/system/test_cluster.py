"""
Several nodes as processes of this machine: they find each other, serve each other's endpoints, die and come back.
"""

from __future__ import annotations

import signal
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from twisted.trial.unittest import SkipTest

from tests.system.case import Node, SystemTestCase, flags, pico
from tests.system.processes import PICO, eventually, free_port
from tests.system.services import HTTPService
from tests.system.test_daemon import TWISTD

KEY = "a-secret-of-this-cluster-long-and-random"
OTHER_KEY = "a-secret-of-some-other-cluster-as-long"

#: Seconds within which a death is noticed. The machine may have other work.
NOTICED = 3.0
SLACK = 3.0


class ClusterTestCase(SystemTestCase):
    """
    Nodes of one cluster on the loopback interface.
    """

    def secret(self, *keys: str) -> str:
        """
        A file with secrets.
        """
        path = self.scene.directory / f"secret-{'-'.join(keys)}"
        path.write_text("".join(f"{key}\n" for key in keys))
        path.chmod(0o600)
        return str(path)

    def node(self, name: str, join: object = "", **settings: object) -> Node:
        """
        Start a node, and wait until it has joined.

        :param join: where others are.
        :param settings: of ``cluster``, in the place of what nodes have here.
        """
        mine: dict[str, object] = {"node_id": name, "secret_keys_file": self.secret(KEY), **settings}
        if join:
            mine["join"] = join
        dotted = {f"cluster.{key.replace('__', '.')}": value for key, value in mine.items()}
        return self.scene.node(dotted)

    def cluster(self) -> list[Node]:
        """
        Three nodes.
        """
        first = self.node("a")
        nodes = [first, *(self.node(name, f"127.0.0.1:{first.gossip}") for name in "bc")]
        for node in nodes:
            self.wait_until_known(node, a="active", b="active", c="active")
        return nodes

    def known(self, node: Node) -> dict[str, str]:
        """
        Which nodes one knows, itself among them, with their status.
        """
        found = node.status("/status/cluster/nodes")
        assert isinstance(found, list)
        return {each["id"]: each["status"] for each in found}

    def wait_until_known(self, node: Node, **statuses: str) -> None:
        """
        Wait until a node knows these, itself among them, and no further ones.
        """
        eventually(lambda: self.known(node) == statuses, f"{statuses}, known at {node.admin}")

    def is_served(self, node: Node) -> bool:
        """
        Whether a node serves the endpoint.
        """
        return node.fetch().status == 200

    def wait_until_served(self, *nodes: Node) -> None:
        """
        Wait until all of them do.
        """
        for node in nodes:
            eventually(partial(self.is_served, node), f"an answer from {node.proxy}")


class ServeTests(ClusterTestCase):
    """
    Three nodes and an agent.
    """

    def test_getting_started(self) -> None:
        """
        The nodes know each other, and what an agent brings to one of them all serve.
        """
        first = free_port()
        seeds = f"localhost:{first}"
        nodes = [
            self.node("", seeds, node_id_prefix="pico-1-", gossip__bind_addr=f"127.0.0.1:{first}"),
            *(self.node("", seeds, node_id_prefix=f"pico-{number}-") for number in (2, 3)),
        ]
        service = self.scene.run(HTTPService("s"))
        self.scene.agent(nodes[2], "e", service.port)
        self.wait_until_served(*nodes)
        said = pico("status", "cluster", "nodes", f"--server.url=http://127.0.0.1:{nodes[0].admin}").stdout
        entry = (
            r"- id: pico-{}-[a-z0-9]{{7}}\n  status: active\n  proxy_addr: 127.0.0.1:{}\n  admin_addr: 127.0.0.1:{}\n"
            r"  endpoints: {}\n  upstreams: {}\n"
        )
        expected = "".join(
            entry.format(number, node.proxy, node.admin, number == 3, number == 3)
            for number, node in enumerate(nodes, 1)
        )
        self.assertRegex(said, "^nodes:\n" + expected.replace("True", "1").replace("False", "0") + "$")

    def test_killed_and_restarted(self) -> None:
        """
        A node that is killed is noticed in three seconds; with its id it is back at once, and what it had is gone.
        """
        a, b, c = self.cluster()
        service = self.scene.run(HTTPService("s"))
        agent = self.scene.agent(c, "e", service.port)
        self.wait_until_served(a, b, c)
        agent.kill()
        begin = time.monotonic()
        c.program.kill()
        self.wait_until_known(a, a="active", b="active", c="unreachable")
        self.assertLess(time.monotonic() - begin, NOTICED + SLACK)
        self.assertFalse(self.is_served(a))
        c.restart()
        self.wait_until_known(a, a="active", b="active", c="active")
        self.assertFalse(self.is_served(a))
        self.scene.agent(c, "e", service.port)
        self.wait_until_served(a, b, c)

    def test_killed_at_load(self) -> None:
        """
        With a second tunnel at another node nobody who asks a third one notices that a node is killed.
        """
        a, b, c = self.cluster()
        service = self.scene.run(HTTPService("s"))
        for node in (b, c):
            self.scene.agent(node, "e", service.port)
        self.wait_until_served(a)
        killed = threading.Event()

        def ask() -> list[int]:
            statuses: list[int] = []
            with a.client() as client:
                while not killed.is_set() or len(statuses) < 200:
                    statuses.append(client.get("/").status)
                for _ in range(200):
                    statuses.append(client.get("/").status)
            return statuses

        with ThreadPoolExecutor(8) as pool:
            asking = [pool.submit(ask) for _ in range(8)]
            try:
                eventually(lambda: service.counts["/"] > 200, "some requests")
                c.program.kill()
                self.wait_until_known(a, a="active", b="active", c="unreachable")
            finally:
                killed.set()
            statuses = [status for each in asking for status in each.result()]
        self.assertEqual(set(statuses), {200})

    def test_stopped(self) -> None:
        """
        A node that is asked to stop serves what it has to the end, while others know that it leaves, and then that it
        has left.
        """
        a, b, c = self.cluster()
        service = self.scene.run(HTTPService("s"))
        self.scene.agent(c, "e", service.port)
        self.wait_until_served(a)
        with a.client() as client:
            client.send(b"GET /gate/g HTTP/1.1\r\nHost: h\r\nx-pico-endpoint: e\r\n\r\n")
            eventually(lambda: service.waiting["/gate/g"], "the request at the gate")
            c.program.terminate()
            self.wait_until_known(a, a="active", b="active", c="leaving")
            service.open_gate("g")
            self.assertEqual(client.response().status, 200)
        self.assertEqual(c.program.wait(), 0)
        self.wait_until_known(b, a="active", b="active", c="left")

    def test_same_id(self) -> None:
        """
        Of two processes with one id the one that was started first ends, with what is wrong, and status 1.
        """
        a, b, c = self.cluster()
        again = self.node("c", f"127.0.0.1:{a.gossip}")
        self.assertEqual(c.program.wait(), 1)
        self.assertRegex(c.program.log, "error .*another process was started as node c.*cluster.node_id")
        self.wait_until_known(again, a="active", b="active", c="active")
        self.wait_until_known(b, a="active", b="active", c="active")

    def test_same_id_twistd(self) -> None:
        """
        So does one that runs under ``twistd``.
        """
        seed = f"127.0.0.1:{self.node('b').gossip}"
        settings = {"cluster.node_id": "a", "cluster.secret_keys_file": self.secret(KEY), "cluster.join": seed}
        first = Node(self.scene, settings, command=TWISTD)
        self.node("a", seed)
        self.assertEqual(first.program.wait(), 1)
        self.assertIn("another process was started as node a", first.program.log)

    def test_seeds_come_later(self) -> None:
        """
        A node that must not be alone is not ready before it has found another one.
        """
        port = free_port()
        settings = {
            "proxy.bind_addr": "127.0.0.1:0",
            "upstream.bind_addr": "127.0.0.1:0",
            "admin.bind_addr": f"127.0.0.1:{free_port()}",
            "cluster.gossip.bind_addr": "127.0.0.1:0",
            "cluster.join": f"127.0.0.1:{port}",
            "cluster.secret_keys_file": self.secret(KEY),
            "cluster.node_id": "b",
        }
        program = self.scene.start("waiting", [*PICO, "server", *flags(settings)])
        url = str(settings["admin.bind_addr"])
        eventually(lambda: pico("status", "cluster", "nodes", f"--server.url=http://{url}").returncode == 0, "its port")
        self.assertNotIn("ready:", program.log)
        self.node("a", gossip__bind_addr=f"127.0.0.1:{port}")
        program.wait_for_log("ready:")


class SecretTests(ClusterTestCase):
    """
    Who belongs to the cluster.
    """

    def test_other_key(self) -> None:
        """
        A node with another secret never appears, and ends with what may be wrong.
        """
        a = self.node("a")
        settings = {
            **{f"{name}.bind_addr": "127.0.0.1:0" for name in ("proxy", "upstream", "admin", "cluster.gossip")},
            "cluster.join": f"localhost:{a.gossip}",
            "cluster.join_timeout": "2s",
            "cluster.secret_keys_file": self.secret(OTHER_KEY),
        }
        program = self.scene.start("stranger", [*PICO, "server", *flags(settings)])
        self.assertEqual(program.wait(), 1)
        self.assertRegex(program.log, r"error .*no other node was found within 2s at localhost:\d+ \(cluster.join\)")
        self.assertNotIn(OTHER_KEY, program.log)
        self.assertEqual(self.known(a), {"a": "active"})

    def test_new_key(self) -> None:
        """
        A secret is changed one node after the other, and all of them know each other all the time.
        """
        a = self.node("a")
        b = self.node("b", f"localhost:{a.gossip}")
        for keys in ((KEY, OTHER_KEY), (OTHER_KEY, KEY), (OTHER_KEY,)):
            for node, other in ((a, b), (b, a)):
                node.program.terminate()
                self.assertEqual(node.program.wait(), 0)
                node.restart(
                    {"cluster.secret_keys_file": self.secret(*keys), "cluster.join": f"localhost:{other.gossip}"}
                )
                self.wait_until_known(node, a="active", b="active")
                self.wait_until_known(other, a="active", b="active")

    def test_short(self) -> None:
        """
        A secret that can be guessed is refused, with how to make a better one.
        """
        path = self.secret("short")
        result = pico("server", f"--cluster.secret-keys-file={path}")
        self.assertEqual(result.returncode, 1)
        self.assertIn("needs 16 at least; make one with: openssl rand -hex 32", result.stderr)


class IPv6Tests(ClusterTestCase):
    """
    The same over IPv6.
    """

    def test_serve(self) -> None:
        """
        Two nodes on ::1 serve each other's endpoints.
        """
        try:
            socket.create_server(("::1", 0), family=socket.AF_INET6).close()
        except OSError:
            raise SkipTest("there is no IPv6 here") from None
        a = self.node("a", gossip__bind_addr="[::1]:0")
        b = self.node("b", f"[::1]:{a.gossip}", gossip__bind_addr="[::1]:0")
        service = self.scene.run(HTTPService("s"))
        self.scene.agent(b, "e", service.port)
        self.wait_until_served(a, b)
        b.program.signal(signal.SIGTERM)
        self.assertEqual(b.program.wait(), 0)
        self.wait_until_known(a, a="active", b="left")
