"""
The demo as people run it: nodes behind the balancer, nodes that die and come back, and nothing left at the end.
"""

from __future__ import annotations

import hashlib
import os
import re
import signal
import socket
import sys
import threading

from tests.system.case import SystemTestCase, run
from tests.system.http_client import Client, fetch, request_bytes
from tests.system.processes import PICO, eventually, free_port
from tests.system.services import HTTPService


class DemoTests(SystemTestCase):
    def test_cluster(self) -> None:
        """
        The sample service answers through the balancer; a node is killed by a signal, noticed, and comes back.
        """
        demo = self.scene.start("demo", [*PICO, "demo", "cluster", "--nodes", "3"])
        proxy, admin = (
            int(demo.wait_for_log(rf"\n  {name} +http://127.0.0.1:(\d+) ")[1]) for name in ("proxy", "admin")
        )
        self.assertIn("\n  starting 3 nodes            ready after ", demo.log)
        for _ in range(6):
            self.assertEqual(fetch(proxy, endpoint="my-endpoint").status, 200)
        nodes = fetch(admin, "/status/cluster/nodes", endpoint=None).json()
        assert isinstance(nodes, list)
        self.assertEqual(
            [re.fullmatch("pico-([123])-[a-z0-9]{7}", node["id"])[1] for node in nodes],  # type: ignore[index]
            ["1", "2", "3"],
        )
        os.kill(demo.pid, signal.SIGUSR1)
        demo.wait_for_log("node 1 was killed")
        demo.wait_for_log(r"\n  1 +pico-1-\w+ +killed +unreachable ")
        self.assertEqual(fetch(proxy, endpoint="my-endpoint").status, 200)
        os.kill(demo.pid, signal.SIGUSR2)
        demo.wait_for_log("node 1 is started again")
        demo.wait_for_log(r"started again(.|\n)*\n  1 +pico-1-\w+ +running +active ")
        demo.terminate()
        self.assertEqual(demo.wait(), 0)
        self.assertTrue(demo.log.endswith("stopped\n"))
        self.assertRaises(OSError, Client, proxy)

    def test_commands_to_paste(self) -> None:
        """
        The three commands that it prints work when they are pasted: by header, by host, and a stream of events.
        """
        demo = self.scene.start("demo", [*PICO, "demo"])
        demo.wait_for_log("the nodes, as they see each other")
        by_header, by_host, events = re.findall(r"^  (curl .*)$", demo.log, re.MULTILINE)
        for command in (by_header, by_host):
            self.assertIn("<title>Pico sample service</title>", run(["bash", "-c", command]).stdout)
        stream = self.scene.start("stream", ["bash", "-c", f"exec {events}"])
        stream.wait_for_log(r"data: .*\n\n(.*\n)*data: ")
        demo.signal(signal.SIGINT)
        self.assertEqual(demo.wait(), 0)
        # The stream was cut, and looks it.
        self.assertNotEqual(stream.wait(), 0)

    def test_own_service(self) -> None:
        """
        Without the sample there are the nodes alone, and the commands for a service of one's own.
        """
        demo = self.scene.start("demo", [*PICO, "demo", "cluster", "--nodes=2", "--no-sample"])
        admin = int(demo.wait_for_log(r"\n  admin +http://127.0.0.1:(\d+) ")[1])
        demo.wait_for_log("pico agent --endpoints my-endpoint/localhost:4000")
        nodes = fetch(admin, "/status/cluster/nodes", endpoint=None).json()
        assert isinstance(nodes, list)
        self.assertEqual([node["endpoints"] for node in nodes], [0, 0])
        demo.terminate()
        self.assertEqual(demo.wait(), 0)


class BalancerTests(SystemTestCase):
    """
    The balancer carries bytes and knows nothing of them.
    """

    def balance(self, *backends: int) -> int:
        """
        Start it; return its port.
        """
        port = free_port()
        self.scene.start(
            "balancer",
            [
                sys.executable,
                "-m",
                "pico.demo.balancer",
                f"{port}={','.join(f'127.0.0.1:{each}' for each in backends)}",
            ],
        )

        def listens() -> bool:
            Client(port).close()
            return True

        eventually(listens, "the balancer to listen")
        return port

    def test_turns(self) -> None:
        """
        Connections go to those behind it in turn, and past those that are not there.
        """
        services = [self.scene.run(HTTPService(name)) for name in ("a", "b")]
        port = self.balance(services[0].port, free_port(), services[1].port)
        names = [fetch(port, "/x").body.split(b":")[0] for _ in range(6)]
        self.assertEqual(sorted(names), [b"a"] * 3 + [b"b"] * 3)

    def test_nobody_there(self) -> None:
        """
        With nobody behind it a connection is broken.
        """
        port = self.balance(free_port())
        with Client(port) as client:
            self.assertRaises(OSError, client.socket.recv, 1)

    def test_bytes(self) -> None:
        """
        Both directions at once, a half-closed one, and every byte.
        """
        with socket.create_server(("127.0.0.1", 0)) as listening:
            port = self.balance(listening.getsockname()[1])
            listening.accept()[0].close()  # the look whether it listens
            data = os.urandom(5_000_000)
            with socket.create_connection(("127.0.0.1", port)) as ours:
                theirs = listening.accept()[0]
                with theirs:
                    sender = threading.Thread(target=self._send, args=(ours, data))
                    sender.start()
                    received = _receive(theirs)
                    sender.join()
                    self.assertEqual(hashlib.sha256(received).digest(), hashlib.sha256(data).digest())
                    answerer = threading.Thread(target=self._send, args=(theirs, data[::-1]))
                    answerer.start()
                    self.assertEqual(_receive(ours), data[::-1])
                    answerer.join()

    def test_broken(self) -> None:
        """
        What breaks behind it is broken before it, and does not look like an end.
        """
        service = self.scene.run(HTTPService("s"))
        port = self.balance(service.port)
        with Client(port) as client:
            client.send(request_bytes("GET", "/die?n=1000&how=reset"))
            self.assertRaises(ConnectionResetError, _receive, client.socket)

    @staticmethod
    def _send(connection: socket.socket, data: bytes) -> None:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)


def _receive(connection: socket.socket) -> bytes:
    received = bytearray()
    while data := connection.recv(65_536):
        received += data
    return bytes(received)
