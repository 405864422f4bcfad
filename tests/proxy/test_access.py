"""
Tests of what :mod:`pico.proxy.port` makes known of a request: its id, its line in the access log, its warnings.
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence

from twisted.internet.address import IPv4Address
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from pico.config.sections import Log
from pico.interfaces import ISelector
from pico.log.records import AccessRecord
from pico.log.redaction import MASK, Redaction
from pico.metrics import Metrics
from pico.names import EndpointKey, NodeId
from pico.net.http.access_log import AccessLog, AccessLogSettings
from pico.net.http.gateway import FailureKind
from pico.net.http.request_ids import REQUEST_ID_LINE, RequestIds
from pico.net.http.server import ServerSettings
from pico.proxy.headers import fate_of
from pico.proxy.port import ProxyPort, ProxySettings
from pico.proxy.record import Recorder
from pico.proxy.trust import TrustedProxies
from pico.server.anyone import Anyone
from pico.wire.http1.headers import HeaderCache
from tests.log_events import keep_log_events
from tests.net.http.support import Peer, Service, World
from tests.proxy.support import make_room

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Upstream(Service):
    """
    A service with an address.
    """

    address = "198.51.100.1:4000"


@implementer(ISelector)
class Selector:
    """
    Chooses the first service that was not tried, for every endpoint but ``nobody``.
    """

    def __init__(self, services: Sequence[Service]) -> None:
        self.services = services

    def choose(self, key: EndpointKey, tried: Sequence[object]) -> object | None:
        if key.endpoint == "nobody":
            return None
        return next((service for service in self.services if service not in tried), None)


class AccessTests(SynchronousTestCase):
    """
    A port whose events are collected.
    """

    def setUp(self) -> None:
        """
        Make a port in front of two services.
        """
        self.log = keep_log_events(self)
        self.world = World()
        self.world.cache = HeaderCache(fate_of, apart=REQUEST_ID_LINE)
        self.services = [Upstream(self.world, "first"), Upstream(self.world, "second")]
        self.port = self._port()

    def _port(self, enabled: bool = True, trusted: Sequence[str] = ()) -> ProxyPort:
        settings = AccessLogSettings(redaction=Redaction(Log().redact), enabled=enabled)
        selector = Selector(self.services)
        return ProxyPort(
            selector=selector,
            verifier=Anyone(),
            settings=ProxySettings(server=ServerSettings()),
            trusted=TrustedProxies(trusted),
            cache=self.world.cache,
            clock=self.world.clock,
            deadlines=self.world.deadlines,
            recorder=Recorder(Metrics()),
            access_log=AccessLog(settings, "proxy.access"),
            node_id=NodeId("n1"),
            ids=RequestIds(random.Random(1)),
            room=make_room(selector, self.world.clock, self.world.deadlines),
        )

    def _client(self, host: str = "192.0.2.7") -> Peer:
        peer = Peer()
        server = self.port.buildProtocol(IPv4Address("TCP", host, 1234))
        assert server is not None
        self.world.connect(peer, server)
        return peer

    def _ask(self, client: Peer, *lines: bytes, target: bytes = b"/", endpoint: bytes = b"e") -> None:
        head = [b"GET " + target + b" HTTP/1.1", b"Host: h", b"x-pico-endpoint: " + endpoint, *lines, b"", b""]
        self.world.say(client, b"\r\n".join(head))

    def _seen(self, service: int = 0) -> list[bytes]:
        """
        The lines of the request that a service has got, which is answered.
        """
        peer = self.services[service].peers[-1]
        lines = peer.take().split(b"\r\n")
        self.world.say(peer, OK)
        return lines

    def _ids(self, lines: Sequence[bytes]) -> list[bytes]:
        return [line.partition(b": ")[2] for line in lines if line.lower().startswith(b"x-request-id:")]


class RefusedTests(AccessTests):
    """
    What is no request.
    """

    def test_refused(self) -> None:
        """
        What cannot be read, what is too large and what comes too slowly are a line with the client, and without a
        byte of what was sent.
        """
        for sent, seconds, line in (
            (b"GET /s3cr3t\r\nX: s3cr3t\r\n\r\n", 0, "400 - 192.0.2.7 (malformed request line)"),
            (b"GET / HTTP/1.1\r\nX: " + b"s3cr3t" * 200_000, 0, "431 - 192.0.2.7 (head too large)"),
            (b"GET / HTTP/1.1\r\nX: s3cr3t", 11, "408 - 192.0.2.7 (request head not received in time)"),
            (b"GET / HTTP/9.9\r\nX: s3cr3t\r\n\r\n", 0, "505 - 192.0.2.7 (HTTP version not supported)"),
        ):
            self.log.events.clear()
            client = self._client()
            self.world.say(client, sent)
            self.world.clock.advance(seconds)
            level = "warn" if line.startswith("5") else "info"
            self.assertEqual(self.log.said("proxy.access"), [f"{level}: - - {line}"])
            self.assertNotIn("s3cr3t", repr(self.log.events))

    def test_disabled(self) -> None:
        """
        Without an access log there is none.
        """
        self.port = self._port(enabled=False)
        self.world.say(self._client(), b"nonsense\r\n\r\n")
        self.assertEqual(self.log.said("proxy.access"), [])


class IdTests(AccessTests):
    """
    Ids of requests.
    """

    def test_kept(self) -> None:
        """
        An id that a client gives goes to the service, alone and in front, and into the log.
        """
        client = self._client()
        for lines in ([b"X-Request-Id: mine"], [b"Accept: a", b"x-request-id: mine"]):
            self._ask(client, *lines)
            seen = self._seen()
            self.assertEqual(self._ids(seen), [b"mine"])
            self.assertEqual(seen[1], b"X-Request-Id: mine")
        self.assertEqual([record.request_id for record in self.log.records()], ["mine", "mine"])

    def test_made(self) -> None:
        """
        Each request without one, or with one that will not do, gets one of its own, also when it is the same as the
        last request.
        """
        client = self._client()
        ids = []
        for lines in ([], [], [b"X-Request-Id: not good"], [b"X-Request-Id: a", b"X-Request-Id: b"]):
            self._ask(client, *lines)
            ids += self._ids(self._seen())
        self.assertEqual(len(set(ids)), 4)
        self.assertTrue(all(len(each) == 32 for each in ids), ids)
        self.assertEqual([record.request_id.encode() for record in self.log.records()], ids)

    def test_another_each_time(self) -> None:
        """
        What is remembered of a client's headers does not bring an old id back.
        """
        client = self._client()
        for number in (b"1", b"2", b"3"):
            self._ask(client, b"Accept: a")
            self.assertEqual(len(self._ids(self._seen())[0]), 32)
            self.world.say(client, b"GET / HTTP/1.1\r\nX-Request-Id: %b\r\nHost: e.x\r\n\r\n" % number)
            self.assertEqual(self._ids(self._seen()), [number])

    def test_same_for_all_tries(self) -> None:
        """
        A request that is sent to another upstream keeps its id.
        """
        self._ask(self._client())
        first = self._ids(self.services[0].peers[0].take().split(b"\r\n"))
        self.world.say(
            self.services[0].peers[0],
            b"HTTP/1.1 502 Bad Gateway\r\nx-pico-service: unreachable\r\nContent-Length: 0\r\n\r\n",
        )
        self.assertEqual(self._ids(self._seen(1)), first)
        self.assertEqual([(record.retries, record.status) for record in self.log.records()], [(1, 200)])

    def test_in_errors(self) -> None:
        """
        An answer of Pico's own names it.
        """
        client = self._client()
        for endpoint, target in ((b"nobody", b"/"), (b"", b"/"), (b"e", b"/_pico/x")):
            self._ask(client, b"X-Request-Id: mine", endpoint=endpoint, target=target)
            head, _, body = client.take().partition(b"\r\n\r\n")
            self.assertIn(b"X-Request-Id: mine", head.split(b"\r\n"))
            self.assertEqual(json.loads(body)["request_id"], "mine")

    def test_of_the_service(self) -> None:
        """
        What the service says itself reaches the client, and nothing is added.
        """
        client = self._client()
        self._ask(client)
        self._seen()
        self.assertEqual(self._ids(client.take().split(b"\r\n")), [])
        self._ask(client)
        self.world.say(
            self.services[0].peers[-1], b"HTTP/1.1 200 OK\r\nX-Request-Id: its own\r\nContent-Length: 0\r\n\r\n"
        )
        self.assertEqual(self._ids(client.take().split(b"\r\n")), [b"its own"])


class RecordTests(AccessTests):
    """
    Lines of the access log.
    """

    def test_fields(self) -> None:
        """
        Who asked whom for what, by which tunnel, and how long it took.
        """
        client = self._client()
        self._ask(client, b"X-Request-Id: r1", target=b"/x?y=1&token=s3cr3t")
        self.world.clock.advance(0.5)
        peer = self.services[0].peers[-1]
        self.world.say(peer, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no")
        self.world.clock.advance(0.25)
        self.world.say(peer, b"k")
        self.assertEqual(
            self.log.records(),
            [
                AccessRecord(
                    client="192.0.2.7",
                    method="GET",
                    path=f"/x?y=1&token={MASK}",
                    status=200,
                    endpoint="e",
                    tunnel="198.51.100.1:4000",
                    node="n1",
                    request_bytes=0,
                    response_bytes=2,
                    head_seconds=0.5,
                    seconds=0.75,
                    retries=0,
                    ended="complete",
                    request_id="r1",
                )
            ],
        )

    def test_unrouted(self) -> None:
        """
        A request that went nowhere has no tunnel, and no endpoint if it named none.
        """
        client = self._client()
        self._ask(client, endpoint=b"nobody")
        self._ask(client, endpoint=b"")
        told = [(each.status, each.endpoint, each.tunnel, each.ended) for each in self.log.records()]
        self.assertEqual(told, [(502, "nobody", "", "no backend"), (400, "", "", "refused")])

    def test_client(self) -> None:
        """
        Behind a trusted proxy the client is whom it names.
        """
        self.port = self._port(trusted=["10.0.0.0/8"])
        for host in ("10.0.0.1", "192.0.2.7"):
            self._ask(self._client(host), b"X-Forwarded-For: 6.6.6.6, 203.0.113.7", endpoint=b"nobody")
        self.assertEqual([record.client for record in self.log.records()], ["203.0.113.7", "192.0.2.7"])

    def test_off(self) -> None:
        """
        Without an access log nothing is made, but an id.
        """
        self.port = self._port(enabled=False)
        client = self._client()
        self._ask(client)
        self.assertEqual(len(self._ids(self._seen())), 1)
        self._ask(client, endpoint=b"nobody")
        self.assertEqual(self.log.events, [])


class WarningTests(AccessTests):
    """
    What somebody should look at.
    """

    def test_failures(self) -> None:
        """
        A service or a tunnel that fails is a warning, with the access log or without; an endpoint that nobody serves
        is none, nor is a client that leaves.
        """
        for enabled in (True, False):
            self.port = self._port(enabled)
            client = self._client()
            self._ask(client, endpoint=b"nobody")
            self._ask(client)
            self.assertEqual(self.log.said("proxy"), [])
            self.world.say(self.services[0].peers[-1], b"nonsense\r\n\r\n")
            client.transport.abortConnection()
            client = self._client()
            self._ask(client)
            client.transport.abortConnection()
            self.world.pump()
            for service in self.services:
                service.down = FailureKind.UNREACHABLE
            self._ask(self._client())
            for service in self.services:
                service.down = None
            self.assertEqual(
                self.log.said("proxy"),
                [
                    "warn: e: the response is not valid HTTP/1.1 (tunnel from 198.51.100.1:4000)",
                    "warn: e: the tunnel closed before a request was sent (tunnel from 198.51.100.1:4000)",
                ],
            )
            self.log.events.clear()
