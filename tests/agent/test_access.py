"""
Tests of what :mod:`pico.agent.listener` makes known of a request: its id, its line in the access log, its warnings.
"""

from __future__ import annotations

import json
from typing import cast

from twisted.internet.address import IPv4Address
from twisted.internet.interfaces import IAddress, IProtocol
from twisted.trial.unittest import SynchronousTestCase

from pico.agent.headers import fate_of
from pico.agent.listener import AgentListener, ListenerSettings
from pico.config.sections import Log
from pico.log.records import AccessRecord
from pico.log.redaction import MASK, Redaction
from pico.net.http.access_log import AccessLog, AccessLogSettings
from pico.net.http.gateway import FailureKind
from pico.net.http.request_ids import REQUEST_ID_LINE
from pico.net.http.server import ServerSettings
from pico.tunnel.stream import TunnelStream
from pico.wire.http1.headers import HeaderCache
from tests.log_events import keep_log_events
from tests.net.http.support import Peer, World


class Stream:
    """
    A stream that the node has opened; the test plays the node.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self.node = Peer()

    def attach(self, protocol: IProtocol) -> None:
        self._world.connect(self.node, protocol)

    def getPeer(self) -> IAddress:
        return IPv4Address("TCP", "198.51.100.9", 8001)


class AccessTests(SynchronousTestCase):
    """
    One endpoint of an agent.
    """

    def setUp(self) -> None:
        """
        Serve a stream, and collect events.
        """
        self.log = keep_log_events(self)
        self.world = World()
        self.world.cache = HeaderCache(fate_of, apart=REQUEST_ID_LINE)
        self.service = self.world.services[0]
        self.node = self._serve()

    def _serve(self, enabled: bool = True) -> Peer:
        settings = AccessLogSettings(redaction=Redaction(Log().redact), enabled=enabled)
        listener = AgentListener(
            ListenerSettings(endpoint="e", service="http://localhost:4000", server=ServerSettings()),
            backend=self.service,
            access_log=AccessLog(settings, "proxy.http.access"),
            cache=self.world.cache,
            clock=self.world.clock,
            deadlines=self.world.deadlines,
            on_served=None,
        )
        stream = Stream(self.world)
        listener.serve(cast(TunnelStream, cast(object, stream)))
        return stream.node

    def _ask(self, *lines: bytes, target: bytes = b"/") -> None:
        self.world.say(self.node, b"\r\n".join([b"GET " + target + b" HTTP/1.1", *lines, b"Host: h", b"", b""]))

    def _answer(self) -> list[bytes]:
        peer = self.service.peers[-1]
        lines = peer.take().split(b"\r\n")
        self.world.say(peer, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        return lines

    def test_id(self) -> None:
        """
        The id that the node gives goes to the service and into the log, and not into the next request's.
        """
        for each in (b"r1", b"r2", b"r2"):
            self._ask(b"X-Request-Id: " + each, b"Accept: a")
            self.assertEqual(
                self._answer()[1:4],
                [b"X-Request-Id: " + each, b"Accept: a", b"Host: h"],
            )
        self._ask(b"Accept: a")
        self.assertEqual(self._answer()[1:3], [b"Accept: a", b"Host: h"])
        self.assertEqual([record.request_id for record in self.log.records()], ["r1", "r2", "r2", ""])

    def test_id_elsewhere(self) -> None:
        """
        So does one that does not stand in front, as behind a Piko server.
        """
        self._ask(b"Accept: a", b"x-request-id: r1")
        self.assertIn(b"x-request-id: r1", self._answer())
        self.assertEqual([record.request_id for record in self.log.records()], ["r1"])

    def test_id_for_one_connection(self) -> None:
        """
        What Connection names ends here, the id as well.
        """
        self._ask(b"X-Request-Id: r1", b"Connection: x-request-id")
        self.assertEqual([line for line in self._answer() if b"equest" in line], [])

    def test_id_in_errors(self) -> None:
        """
        An answer of the agent's own names it.
        """
        self.service.down = FailureKind.LOST
        self._ask(b"X-Request-Id: r1")
        head, _, body = self.node.take().partition(b"\r\n\r\n")
        self.assertIn(b"X-Request-Id: r1", head.split(b"\r\n"))
        self.assertEqual(json.loads(body)["request_id"], "r1")

    def test_record(self) -> None:
        """
        Who asked for what, through which node's tunnel, and which service took how long.
        """
        self._ask(b"X-Request-Id: r1", b"X-Forwarded-For: 203.0.113.7, 10.0.0.1", target=b"/x?token=s3cr3t")
        self.world.clock.advance(0.5)
        self._answer()
        self.assertEqual(
            self.log.records(),
            [
                AccessRecord(
                    client="203.0.113.7, 10.0.0.1",
                    method="GET",
                    path=f"/x?token={MASK}",
                    status=200,
                    endpoint="e",
                    tunnel="198.51.100.9:8001",
                    service="http://localhost:4000",
                    request_bytes=0,
                    response_bytes=2,
                    head_seconds=0.5,
                    seconds=0.5,
                    retries=0,
                    ended="complete",
                    request_id="r1",
                )
            ],
        )

    def test_off(self) -> None:
        """
        Without an access log there is no event.
        """
        self.node = self._serve(enabled=False)
        self._ask(b"X-Request-Id: r1")
        self._answer()
        self.assertEqual(self.log.events, [])

    def test_refused(self) -> None:
        """
        Bytes of a node that are no request are a line that names endpoint and tunnel.
        """
        self.world.say(self.node, b"s3cr3t\r\n\r\n")
        self.assertEqual(self.log.said("proxy.http.access"), ["info: - - 400 e - (malformed request line)"])
        self.assertEqual(self.log.events[0]["tunnel"], "198.51.100.9:8001")

    def test_warnings(self) -> None:
        """
        A service that fails is a warning that names it, with the access log or without; a node that goes is none.
        """
        for enabled in (True, False):
            self.node = self._serve(enabled)
            self.service.down = FailureKind.UNREACHABLE
            self._ask()
            self.service.down = None
            self._ask()
            self.world.say(self.service.peers[-1], b"nonsense\r\n\r\n")
            self._ask()
            self.node.transport.abortConnection()
            self.world.pump()
            self.assertEqual(
                self.log.said("proxy.http"),
                [
                    "warn: e: http://localhost:4000 does not accept connections",
                    "warn: e: http://localhost:4000 sent something that is not HTTP/1.1",
                ],
            )
            self.log.events.clear()
