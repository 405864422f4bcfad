"""
Recordings of Piko programs, played at real processes of ours.
"""

from __future__ import annotations

import contextlib
import socket
import threading

import h11

from tests.system.case import Node, Scene, SharedSceneTestCase, SystemTestCase
from tests.system.http_client import Client, Response, request_bytes
from tests.system.processes import DEADLINE, eventually
from tests.system.tunnel_peer import (
    DATA,
    FIN,
    Header,
    Recording,
    TunnelPeer,
    accept_key,
    http_response,
    load,
)


def read_request(data: bytes) -> tuple[h11.Request, bytes] | None:
    """
    Read a whole request.

    :return: its head and its body; ``None`` if it is not whole.
    """
    reader = h11.Connection(h11.SERVER)
    reader.receive_data(data)
    head: h11.Request | None = None
    body = b""
    while True:
        event = reader.next_event()
        if isinstance(event, h11.Request):
            head = event
        elif isinstance(event, h11.Data):
            body += event.data
        elif isinstance(event, h11.EndOfMessage):
            assert head is not None
            return head, body
        else:
            return None


def request_arrived(peer: TunnelPeer, header: Header) -> bool:
    """
    An agent answers a request that it has got.
    """
    return read_request(bytes(peer.stream(header.stream).received)) is not None


class PikoAgentTests(SharedSceneTestCase):
    """
    Agents of Piko v0.9 at our node.
    """

    node: Node

    @classmethod
    def set_scene(cls, scene: Scene) -> None:
        """
        There is only a node.
        """
        cls.node = scene.node()

    def test_small(self) -> None:
        """
        A GET, a response in chunks, a HEAD.
        """
        self._replay("http-small")

    def test_concurrent(self) -> None:
        """
        Five responses at once.
        """
        self._replay("http-concurrent")

    def test_download(self) -> None:
        """
        600 KiB down, in continuation frames.
        """
        self._replay("http-big-download")

    def test_upload(self) -> None:
        """
        600 KiB up.
        """
        self._replay("http-big-upload")

    def test_service_down(self) -> None:
        """
        The agent's own answer when its service is down.
        """
        self._replay("service-down")

    def test_sigterm(self) -> None:
        """
        From the agent's go-away on nothing is routed to it, though its tunnel still stands.
        """
        recording = load("agent-sigterm")
        self.assertIsNone(recording.to_node[-1].data)
        with self._connect(recording) as peer:
            self._play(peer, recording, recording.to_node[:-1])
            self.node.wait_for_tunnels("e", 0)
            self.assertEqual(self.node.fetch("/").status, 502)
            peer.play(recording.to_node[-1:], ready=request_arrived)
            peer.wait_for(lambda: peer.ended, "the end of the connection")

    def test_pings(self) -> None:
        """
        An agent's pings are answered, with their own values.
        """
        recording = load("idle-70s")
        with self._connect(recording) as peer:
            peer.play(recording.to_node, ready=request_arrived)
            asked = [
                header.length
                for chunk in recording.to_node
                for header in chunk.headers
                if (header.kind, header.flags) == (2, 1)
            ]
            self.assertTrue(asked)
            peer.wait_for(lambda: peer.pongs == asked, f"answers to pings {asked}")

    def _replay(self, name: str) -> None:
        recording = load(name)
        with self._connect(recording) as peer:
            self._play(peer, recording, recording.to_node)
            self.assertEqual(peer.go_aways, [])

    def _play(self, peer: TunnelPeer, recording: Recording, chunks: list) -> None:  # type: ignore[type-arg]
        clients: dict[int, Client] = {}

        def ask(stream: int) -> None:
            # What the recorded agent was asked, our client asks now.
            found = read_request(recording.requests[stream])
            assert found is not None
            head, body = found
            client = clients[stream] = self.node.client()
            sent = request_bytes(head.method.decode(), head.target.decode(), body=body or None)
            threading.Thread(target=client.send, args=(sent,), daemon=True).start()

        peer.play(chunks, ready=request_arrived, before=ask)
        self.assertEqual(set(clients), set(recording.requests))
        for number, client in clients.items():
            recorded, body = self._request(recording.requests[number])
            arrived, arrived_body = self._request(bytes(peer.stream(number).received))
            self.assertEqual((arrived.method, arrived.target), (recorded.method, recorded.target))
            self.assertEqual(arrived_body, body)
            method = recorded.method.decode()
            expected = http_response(recording.responses[number], method)
            self._same(client.response(method), expected)
            client.close()
            peer.wait_for(lambda: peer.stream(number).finished, "our FIN")  # noqa: B023

    def _request(self, data: bytes) -> tuple[h11.Request, bytes]:
        found = read_request(data)
        assert found is not None, data
        return found

    def _same(self, response: Response, expected: Response) -> None:
        self.assertEqual((response.status, response.body), (expected.status, expected.body))
        for name in ("content-type", "date", "server", "content-length"):
            self.assertEqual(response.values(name), expected.values(name))

    @contextlib.contextmanager
    def _connect(self, recording: Recording):  # type: ignore[no-untyped-def]
        """
        Play the upgrade.
        """
        with socket.create_connection(("127.0.0.1", self.node.upstream), DEADLINE) as sock:
            sock.sendall(recording.request)
            answer = b""
            while b"\r\n\r\n" not in answer:
                data = sock.recv(65_536)
                self.assertTrue(data, answer)
                answer += data
            head, _, rest = answer.partition(b"\r\n\r\n")
            lines = {
                line.partition(b":")[0].lower(): line.partition(b":")[2].strip() for line in head.split(b"\r\n")[1:]
            }
            self.assertTrue(head.startswith(b"HTTP/1.1 101 "), head)
            self.assertEqual(lines[b"sec-websocket-accept"], accept_key(recording.request))
            # A Piko program has offered nothing, and gets nothing that it does not know.
            self.assertFalse([name for name in lines if name.startswith(b"x-pico-capab")])
            self.assertNotIn(b"sec-websocket-protocol", lines)
            self.assertNotIn(b"sec-websocket-extensions", lines)
            self.node.wait_for_tunnels("e", 1)
            yield TunnelPeer(sock, is_agent=True, rest=rest)
        self.node.wait_for_tunnels("e", 0)


class PlaybackService:
    """
    A service that answers each request with a recorded response, once a connection.
    """

    def __init__(self, recording: Recording) -> None:
        self._answers: dict[tuple[bytes, bytes], bytes] = {}
        for number, data in recording.requests.items():
            found = read_request(data)
            assert found is not None
            self._answers[found[0].method, found[0].target] = recording.responses[number]
        self.requests: list[tuple[h11.Request, bytes]] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """
        Stop.
        """
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            data = b""
            while (found := read_request(data)) is None:
                more = connection.recv(262_144)
                if not more:
                    return
                data += more
            self.requests.append(found)
            connection.sendall(self._answers[found[0].method, found[0].target])


class PikoServerTests(SystemTestCase):
    """
    Our agent at a server of Piko v0.9.
    """

    def test_small(self) -> None:
        """
        A GET, a response in chunks, a HEAD.
        """
        self._replay("http-small")

    def test_concurrent(self) -> None:
        """
        Five requests at once.
        """
        self._replay("http-concurrent")

    def test_download(self) -> None:
        """
        600 KiB down.
        """
        self._replay("http-big-download")

    def test_upload(self) -> None:
        """
        600 KiB up.
        """
        self._replay("http-big-upload")

    def test_server_stops(self) -> None:
        """
        A server that ends TCP without a word is dialled again.
        """
        recording = load("server-sigterm")
        self.assertIsNone(recording.to_agent[-1].data)
        self._replay("server-sigterm", comes_back=True)

    def test_pings(self) -> None:
        """
        A server's pings are answered, with their own values.
        """
        recording = load("idle-70s")
        with self._listening(1) as listener:
            peer = self._accept(listener)
            peer.play(recording.to_agent, ready=lambda peer, header: True)
            asked = [
                header.length
                for chunk in recording.to_agent
                for header in chunk.headers
                if (header.kind, header.flags) == (2, 1)
            ]
            self.assertTrue(asked)
            peer.wait_for(lambda: peer.pongs == asked, f"answers to pings {asked}")

    def test_service_down(self) -> None:
        """
        When the service is down the agent itself answers 502, as Piko's does.
        """
        recording = load("service-down")
        with self._listening(1) as listener:
            peer = self._accept(listener)
            peer.play(recording.to_agent, ready=self._answered)
            response = http_response(bytes(peer.stream(2).received))
            self.assertEqual((response.status, response.header("content-type")), (502, "application/json"))
            self.assertIn(b'"error":"upstream unreachable"', response.body)

    def _replay(self, name: str, *, comes_back: bool = False) -> None:
        recording = load(name)
        service = PlaybackService(recording)
        self.addCleanup(service.close)
        with self._listening(service.port) as listener:
            peer = self._accept(listener)
            peer.play(recording.to_agent, ready=self._answered)
            self.assertEqual(peer.go_aways, [])
            for number, data in recording.requests.items():
                found = read_request(data)
                assert found is not None
                method = found[0].method.decode()
                response = http_response(bytes(peer.stream(number).received), method)
                expected = http_response(recording.responses[number], method)
                self.assertEqual((response.status, response.body), (expected.status, expected.body))
                for header in ("content-type", "date", "server"):
                    self.assertEqual(response.values(header), expected.values(header))
                self.assertTrue(peer.stream(number).acked)
                self.assertFalse(peer.stream(number).reset)
            self._check_requests(service, recording)
            if comes_back:
                peer.wait_for(lambda: peer.ended, "the agent to hang up")
                again = self._accept(listener)
                self.assertFalse(again.ended)

    def _check_requests(self, service: PlaybackService, recording: Recording) -> None:
        sent = [read_request(data) for data in recording.requests.values()]
        wanted = sorted((found[0].method, found[0].target, found[1]) for found in sent if found is not None)
        self.assertEqual(sorted((head.method, head.target, body) for head, body in service.requests), wanted)
        for head, _ in service.requests:
            names = {name for name, _ in head.headers}
            self.assertFalse([name for name in names if name.startswith((b"x-piko", b"x-pico"))], names)
            self.assertIn((b"x-forwarded-for", b"127.0.0.1"), [(name, value) for name, value in head.headers])

    @staticmethod
    def _answered(peer: TunnelPeer, header: Header) -> bool:
        """
        A server sends a request at once, and its FIN when it has the response.
        """
        if header.kind == DATA:
            return True
        assert header.flags & FIN
        return peer.stream(header.stream).finished

    @contextlib.contextmanager
    def _listening(self, service_port: int):  # type: ignore[no-untyped-def]
        """
        Start an agent that finds a listener in the place of its node.
        """
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.settimeout(DEADLINE)
            agent = self.scene.agent(listener.getsockname()[1], "e", service_port)
            yield listener
            eventually(lambda: agent.running, "the agent to run")

    def _accept(self, listener: socket.socket) -> TunnelPeer:
        """
        Be dialled and answer as a Piko server does: 404 to a path that it does not know.
        """
        while True:
            sock, _ = listener.accept()
            self.addCleanup(sock.close)
            sock.settimeout(DEADLINE)
            request = b""
            while b"\r\n\r\n" not in request:
                data = sock.recv(65_536)
                self.assertTrue(data, request)
                request += data
            head, _, rest = request.partition(b"\r\n\r\n")
            if head.startswith(b"GET /piko/v1/upstream/e HTTP/1.1\r\n"):
                break
            self.assertTrue(head.startswith(b"GET /pico/v1/upstream/e HTTP/1.1\r\n"), head)
            sock.sendall(
                b"HTTP/1.1 404 Not Found\r\nContent-Type: text/plain\r\nContent-Length: 18\r\n\r\n404 page not found"
            )
        sock.sendall(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept_key(request) + b"\r\n\r\n"
        )
        return TunnelPeer(sock, is_agent=False, rest=rest)
