"""
Large bodies and readers that do not read: memory stays where it is, and others do not notice.
"""

from __future__ import annotations

import hashlib
import socket
import threading
import time

from tests.system.case import Node, OneOfEachTestCase, Scene, SystemTestCase
from tests.system.http_client import Client, fetch, request_bytes
from tests.system.pattern import PERIOD, PatternCheck, pattern
from tests.system.processes import MIB, MemorySampler, eventually
from tests.system.services import HTTPService

GIB = 1024 * MIB
RATE = 64 * MIB
STOP = 5.0

#: What one body may add to the memory of node and agent each.
GROWTH = 32 * MIB


class SlowReader:
    """
    Check what a download brings, and stop reading for a while in the middle.
    """

    def __init__(self, stop_at: int) -> None:
        self.check = PatternCheck()
        self.stopped = 0.0
        self._stop_at = stop_at

    def __call__(self, data: bytes) -> None:
        self.check(data)
        if not self.stopped and self.check.size >= self._stop_at:
            began = time.monotonic()
            time.sleep(STOP)
            self.stopped = time.monotonic() - began


class LargeBodyTests(OneOfEachTestCase):
    """
    A GiB each way with a reader that takes 64 MiB/s and stops for five seconds in the middle.
    """

    @classmethod
    def set_scene(cls, scene: Scene) -> None:
        """
        Let node and agent load what they load with their first requests.
        """
        super().set_scene(scene)
        for _ in range(3):
            fetch(cls.node.proxy, "/bytes?n=1000000")
            fetch(cls.node.proxy, "/echo", "POST", body=pattern(0, 1_000_000))

    def test_download(self) -> None:
        """
        Down: every byte is right, and neither program grows by 32 MiB.
        """
        reader = SlowReader(GIB // 2)
        with self.node.client() as client, MemorySampler(self.node.program, self.agent) as memory:
            client.send(request_bytes("GET", f"/bytes?n={GIB}"))
            response = client.response(sink=reader, bytes_per_second=RATE)
        self.assertEqual((response.status, reader.check.size), (200, GIB))
        self.assertGreaterEqual(reader.stopped, STOP)
        self._check_memory(memory)

    def test_upload(self) -> None:
        """
        Up: every byte is right, and neither program grows by 32 MiB.
        """
        target = f"/sink?id=upload&rate={RATE}&stop={STOP}&stop_at={GIB // 2}"
        digest = hashlib.sha256()
        with self.node.client() as client, MemorySampler(self.node.program, self.agent) as memory:
            client.send(request_bytes("PUT", target, headers=[("Content-Length", str(GIB))]))
            for offset in range(0, GIB, PERIOD):
                piece = pattern(offset, min(PERIOD, GIB - offset))
                digest.update(piece)
                client.send(piece)
            response = client.response("PUT")
        self.assertEqual(response.json(), {"size": GIB, "digest": digest.hexdigest()})
        self._check_memory(memory)

    def _check_memory(self, memory: MemorySampler) -> None:
        grown = ", ".join(
            f"{each.name} {memory.growth(each) / MIB:.1f} MiB" for each in (self.node.program, self.agent)
        )
        print(f"\n1 GiB: {grown}, of {memory.samples} samples")
        self.assertGreater(memory.samples, 50)
        for program in (self.node.program, self.agent):
            self.assertLess(memory.growth(program), GROWTH, program.name)


class StoppedReaderTests(SystemTestCase):
    """
    Clients that ask for much and read nothing.
    """

    def test_a_thousand(self) -> None:
        """
        Readers that stop cost a window each and no more; others are served; who reads on gets all of it.
        """
        count = 1000
        size = 16 * MIB
        # Small buffers at both ends of the way: a thousand usual ones fill the TCP memory of a small machine, and then
        # the kernel is what is tested.
        service = self.scene.run(HTTPService("s", send_buffer=65_536))
        node = self.scene.node()
        agent = self.scene.agent(node, "e", service.port)
        self.assertEqual(node.fetch("/warm").status, 200)
        stopped: list[Client] = []

        def close_all() -> None:
            for client in stopped:
                client.close()

        self.addCleanup(close_all)
        with MemorySampler(node.program, agent) as memory:
            for _ in range(count):
                client = Client(node.proxy, receive_buffer=8192)
                stopped.append(client)
                client.send(request_bytes("GET", f"/bytes?n={size}"))
            # The system's own buffers go on filling for minutes, which is why nobody waits for standstill here.
            eventually(lambda: service.counts["/bytes"] >= count, "all readers at the service")
            self._wait_for_bytes(node, count * 300_000)
            for _ in range(20):
                with node.client() as client:
                    for number in range(10):
                        self.assertEqual(client.get(f"/{number}").body, f"s: GET /{number}\n".encode())
                    client.send(request_bytes("POST", "/echo", body=pattern(0, 500_000)))
                    self.assertEqual(client.response("POST").body, pattern(0, 500_000))
            for client in stopped[:: count // 5]:
                check = PatternCheck()
                client.response(sink=check)
                self.assertEqual(check.size, size)
        grown = ", ".join(f"{program.name} {memory.growth(program) / MIB:.0f} MiB" for program in (node.program, agent))
        print(f"\n{count} readers that stop: {grown}")
        # A window of 256 KiB each, a read of as much that was cut by it, and the transport's own buffer.
        for program in (node.program, agent):
            self.assertLess(memory.growth(program), count * 768 * 1024, program.name)
        for client in stopped:
            client.reset()
        eventually(lambda: service.open < 20, "the service to be left alone")
        self.assertEqual(node.fetch("/after").status, 200)

    def test_system_buffers(self) -> None:
        """
        Nor does the system hold more than it may for a reader that stops, however much it would for one that is fast.
        """
        count = 20
        size = 16 * MIB
        service = self.scene.run(HTTPService("s"))
        node = self.scene.node({"proxy.http.max_unsent_bytes": "256KiB"})
        self.scene.agent(node, "e", service.port)
        clients = [node.client() for _ in range(count)]
        for client in clients:
            client.send(request_bytes("GET", f"/bytes?n={size}"))
        self._wait_until_still(node)
        # A window that may have grown, what the transport keeps, what the system takes, and the client's own buffer.
        self.assertLess(node.metrics()["pico_upstreams_bytes_received_total"], count * 2 * MIB)
        for client in clients:
            check = PatternCheck()
            client.response(sink=check)
            self.assertEqual(check.size, size)
            client.close()

    def test_uploads_to_a_service_that_stops(self) -> None:
        """
        Uploads that a service does not read stop the clients that send them, and nobody else.
        """
        stuck = self._deaf_service()
        service = self.scene.run(HTTPService("s"))
        node = self.scene.node()
        agent = self.scene.agent(node, "stuck", stuck)
        other = self.scene.agent(node, "e", service.port)
        self.assertEqual(node.fetch("/warm").status, 200)
        clients = [node.client() for _ in range(50)]
        sent = [0] * len(clients)
        done = threading.Event()

        def push() -> None:
            piece = pattern(0, 65_536)
            for client in clients:
                client.socket.setblocking(False)
                client.socket.send(
                    request_bytes("POST", "/x", endpoint="stuck", headers=[("Content-Length", str(GIB))])
                )
            while not done.wait(0.01):
                for number, client in enumerate(clients):
                    try:
                        sent[number] += client.socket.send(piece)
                    except BlockingIOError:
                        pass

        with MemorySampler(node.program, agent, other) as memory:
            pusher = threading.Thread(target=push, daemon=True)
            pusher.start()
            try:
                self._wait_until_still(node)
                for number in range(100):
                    self.assertEqual(node.fetch(f"/{number}").body, f"s: GET /{number}\n".encode())
            finally:
                done.set()
                pusher.join()
        # Windows grow with the path, but not once half of what a tunnel may buffer (256 MiB) is taken.
        for program in (node.program, agent):
            self.assertLess(memory.growth(program), 160 * MIB, program.name)
        for client in clients:
            client.reset()

    def _deaf_service(self) -> int:
        """
        A service that accepts and never reads.
        """
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
        listener.bind(("127.0.0.1", 0))
        listener.listen(512)
        self.addCleanup(listener.close)
        return int(listener.getsockname()[1])

    def _wait_for_bytes(self, node: Node, size: int) -> None:
        """
        Wait until so many bytes, more than a window for each reader, have come through the node's tunnels.
        """
        eventually(
            lambda: node.metrics()["pico_upstreams_bytes_received_total"] > size,
            f"{size} bytes to be on their way",
            interval=0.1,
        )

    def _wait_until_still(self, node: Node) -> None:
        """
        Wait until no more bytes move through the node's tunnels, but for a ping, that is until everybody is stuck.
        """
        last = [-1e9, 0.0]

        def still() -> bool:
            metrics = node.metrics()
            moved = metrics["pico_upstreams_bytes_received_total"] + metrics["pico_upstreams_bytes_sent_total"]
            if moved > last[0] + 10_000:
                last[:] = [moved, time.monotonic()]
            return time.monotonic() - last[1] > 1.0

        eventually(still, "everybody to be stuck", interval=0.1)
