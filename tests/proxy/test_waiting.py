"""
Tests for :mod:`pico.proxy.waiting`: a port, clients and services on pipes, and what a node would tell of endpoints.
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from pico.interfaces import ISelector
from pico.log.redaction import Redaction
from pico.metrics import Metrics
from pico.names import DEFAULT_TENANT, EndpointKey, NodeId
from pico.net.http.access_log import AccessLog, AccessLogSettings
from pico.net.http.gateway import FailureKind
from pico.net.http.request_ids import RequestIds
from pico.net.http.server import ServerSettings
from pico.net.turn import Turn
from pico.proxy.headers import fate_of
from pico.proxy.port import ProxyPort, ProxySettings
from pico.proxy.record import WAITS, Recorder
from pico.proxy.trust import TrustedProxies
from pico.proxy.waiting import WaitingRoom, WaitingSettings
from pico.server.anyone import Anyone
from pico.wire.http1.headers import HeaderCache
from tests.log_events import keep_log_events
from tests.net.http.support import Peer, Service, World
from tests.scrape import value_of

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

#: What a tunnel says whose agent cannot reach its service.
DECLINED = b"HTTP/1.1 502 Bad Gateway\r\nx-pico-service: refused\r\nContent-Length: 0\r\n\r\n"

#: Bytes of a body that are kept.
KEPT = 100


@implementer(ISelector)
class Known:
    """
    What serves endpoints, as far as the node knows: services by name, the first one that was not tried preferred.
    """

    def __init__(self) -> None:
        self.services: dict[str, list[Service]] = {}

    def choose(self, key: EndpointKey, tried: Sequence[object]) -> object | None:
        """
        Choose one.
        """
        return next((each for each in self.services.get(key.endpoint, []) if each not in tried), None)


class WaitingTestCase(SynchronousTestCase):
    """
    A port at which requests wait for a second, three of them at most.
    """

    def setUp(self) -> None:
        """
        Nothing is served yet.
        """
        self.log = keep_log_events(self)
        self.world = World()
        self.world.cache = HeaderCache(fate_of)
        self.clock: Clock = self.world.clock
        self.known = Known()
        self.metrics = Metrics()
        self.here = False
        self.made: list[Service] = []
        recorder = Recorder(self.metrics)
        self.room = WaitingRoom(
            selector=self.known,
            is_served=lambda key: bool(self.known.services.get(key.endpoint)),
            has_tunnel=lambda _: self.here,
            settings=WaitingSettings(wait=1.0, max_waiting=3),
            clock=self.clock,
            deadlines=self.world.deadlines,
            turn=Turn(self.clock),
            recorder=recorder,
        )
        self.port = ProxyPort(
            selector=self.known,
            verifier=Anyone(),
            settings=ProxySettings(server=ServerSettings(idle_timeout=0), retry_buffer=KEPT),
            trusted=TrustedProxies(()),
            cache=self.world.cache,
            clock=self.clock,
            deadlines=self.world.deadlines,
            recorder=recorder,
            access_log=AccessLog(AccessLogSettings(redaction=Redaction(())), "proxy.access"),
            node_id=NodeId("node"),
            ids=RequestIds(random.Random(1)),
            room=self.room,
        )

    def tearDown(self) -> None:
        """
        Nobody waits any more, and nothing is left that waits for its time.
        """
        self.assertEqual(self.room.waiting, 0)
        self.port.abort()
        self.world.pump()
        for service in self.made:
            service.pool.stop()
        self.assertEqual([str(call) for call in self.clock.getDelayedCalls()], [])

    # The node

    def serve(self, endpoint: str = "e", *, down: FailureKind | None = None) -> Service:
        """
        Let there be an upstream, and let it be known.

        :param down: what it says to requests.
        """
        service = Service(self.world, endpoint)
        service.down = down
        self.made.append(service)
        self.known.services.setdefault(endpoint, []).append(service)
        self.tell(endpoint)
        return service

    def tell(self, *endpoints: str) -> None:
        """
        Let it be known that endpoints are served.
        """
        self.room.served([EndpointKey(DEFAULT_TENANT, endpoint) for endpoint in endpoints])
        self.clock.advance(0)
        self.world.pump()

    def lose(self, endpoint: str = "e") -> None:
        """
        Let an endpoint lose its upstreams.
        """
        self.known.services.pop(endpoint, None)
        self.room.lost([EndpointKey(DEFAULT_TENANT, endpoint)])

    # Clients

    def ask(self, request: str = "GET /", *lines: str, endpoint: str = "e", body: bytes = b"") -> Peer:
        """
        Ask for something.
        """
        client = Peer()
        server = self.port.buildProtocol(None)
        assert server is not None
        self.world.connect(client, server)
        head = [f"{request} HTTP/1.1", "Host: h", f"x-pico-endpoint: {endpoint}", *lines, "", ""]
        self.world.say(client, "\r\n".join(head).encode() + body)
        return client

    def answer(self, service: Service, response: bytes = OK) -> bytes:
        """
        Let a service answer the request that came last.

        :return: that request.
        """
        peer = service.peers[-1]
        request = peer.take()
        self.world.say(peer, response)
        return request

    def number(self, name: str) -> float:
        """
        One of the metrics.
        """
        return value_of(self.metrics.render(open_metrics=False)[0].decode(), name)

    def waits(self) -> dict[str, float]:
        """
        What has become of those who waited.
        """
        found = {each: self.number(f'pico_proxy_waits_total{{outcome="{each}"}}') for each in WAITS}
        return {outcome: count for outcome, count in found.items() if count}

    def assert_none(self, client: Peer, error: str = "no available upstreams") -> None:
        """
        A client was told that there is nothing.
        """
        head, _, body = client.received.partition(b"\r\n\r\n")
        self.assertEqual(head.split(b" ")[1], b"502")
        self.assertEqual(json.loads(body)["error"], error)


class AbsentTests(WaitingTestCase):
    """
    An endpoint for which the node knows nobody.
    """

    def test_stranger(self) -> None:
        """
        Who asks for what never was there is told at once.
        """
        self.lose("other")
        self.assert_none(self.ask())
        self.assertEqual(self.waits(), {})

    def test_found(self) -> None:
        """
        Who asks for what was there a moment ago is served as soon as it is there again, as if nothing had been.
        """
        self.lose()
        clients = [self.ask(f"GET /{number}") for number in range(2)]
        self.world.advance(0.6)
        self.assertEqual([client.received for client in clients], [b""] * 2)
        self.assertEqual(self.room.waiting, 2)
        service = self.serve()
        for number, peer in enumerate(service.peers):
            self.assertTrue(peer.received.startswith(b"GET /%d HTTP/1.1\r\n" % number))
            self.world.say(peer, OK)
        self.assertEqual([client.received for client in clients], [OK] * 2)
        self.assertEqual(self.waits(), {"found": 2})
        self.assertEqual(self.number("pico_proxy_retries_total"), 0)
        self.assertEqual(self.number("pico_upstreams_upstream_requests_total"), 2)
        self.assertEqual(
            self.number('pico_proxy_request_latency_seconds_bucket{method="GET",status="200",le="0.5"}'), 0
        )

    def test_record(self) -> None:
        """
        The access log has the wait in the request's time, and no further attempt.
        """
        self.lose()
        self.ask()
        self.world.advance(0.6)
        self.answer(self.serve())
        (record,) = self.log.records()
        self.assertEqual((record.status, record.retries, round(record.seconds, 1)), (200, 0, 0.6))

    def test_none(self) -> None:
        """
        If it is not there in time, and not before, the answer is the usual one; nothing was sent anywhere.
        """
        self.lose()
        client = self.ask()
        self.world.advance(0.8)
        self.assertEqual(client.received, b"")
        late = self.ask()
        self.world.advance(0.4)
        for each in (client, late, self.ask()):
            self.assert_none(each)
        self.assertEqual(self.waits(), {"none": 2})
        self.assertEqual(self.number("pico_upstreams_upstream_requests_total"), 0)
        self.assertEqual(self.number('pico_proxy_failures_total{reason="no backend"}'), 3)

    def test_served_elsewhere(self) -> None:
        """
        An endpoint of which one upstream is gone and another one stays is not lost.
        """
        self.serve()
        self.room.lost([EndpointKey(DEFAULT_TENANT, "e")])
        self.known.services.clear()
        self.assert_none(self.ask())

    def test_apart(self) -> None:
        """
        Each endpoint is waited for by itself.
        """
        self.lose("e")
        self.world.advance(0.6)
        self.lose("f")
        clients = [self.ask(endpoint=endpoint) for endpoint in "ef"]
        self.world.advance(0.6)
        self.assert_none(clients[0])
        self.assertEqual(clients[1].received, b"")
        self.answer(self.serve("f"))
        self.assertEqual(clients[1].received, OK)

    def test_gone_again(self) -> None:
        """
        What comes and is gone before anything could be sent is waited for anew.
        """
        self.lose()
        client = self.ask()
        self.world.advance(0.6)
        self.room.served([EndpointKey(DEFAULT_TENANT, "e")])
        self.lose()
        self.clock.advance(0)
        self.world.advance(0.8)
        self.assertEqual(client.received, b"")
        self.answer(self.serve())
        self.assertEqual(client.received, OK)

    def test_rumour(self) -> None:
        """
        What is said to be there and is not found is waited for no longer than before.
        """
        self.lose()
        client = self.ask()
        self.tell("e")
        self.world.advance(1.2)
        self.assert_none(client)

    def test_full(self) -> None:
        """
        One more than may wait is told at once.
        """
        self.lose()
        clients = [self.ask() for _ in range(4)]
        self.assertEqual([bool(client.received) for client in clients], [False, False, False, True])
        self.assert_none(clients[-1])
        self.world.advance(1.2)
        self.assertEqual(self.waits(), {"full": 1, "none": 3})

    def test_not_now(self) -> None:
        """
        Nothing is sent in the middle of what makes an upstream known: its tunnel does not stand yet.
        """
        self.lose()
        client = self.ask()
        service = Service(self.world, "e")
        self.made.append(service)
        self.known.services["e"] = [service]
        self.room.served([EndpointKey(DEFAULT_TENANT, "e")])
        self.assertEqual(service.acquired, 0)
        self.clock.advance(0)
        self.world.pump()
        self.answer(service)
        self.assertEqual(client.received, OK)


class ClientTests(WaitingTestCase):
    """
    Those who wait.
    """

    def test_gone(self) -> None:
        """
        A client that does not wait any longer frees its place.
        """
        self.lose()
        clients = [self.ask() for _ in range(3)]
        for client in clients:
            client.transport.abortConnection()
        self.world.pump()
        self.assertEqual((self.room.waiting, self.waits()), (0, {"gone": 3}))
        self.assertEqual(self.number("pico_upstreams_upstream_requests_total"), 0)
        client = self.ask()
        self.answer(self.serve())
        self.assertEqual(client.received, OK)

    def test_half_closed(self) -> None:
        """
        A client that has nothing more to say is served.
        """
        self.lose()
        client = self.ask()
        client.transport.loseWriteConnection()
        self.world.pump()
        self.answer(self.serve())
        self.assertTrue(client.received.startswith(b"HTTP/1.1 200 OK\r\n"))

    def test_head(self) -> None:
        """
        Who asks for a head gets one, and no body if there is nothing.
        """
        for found in (True, False):
            self.lose()
            client = self.ask("HEAD /")
            if found:
                self.answer(self.serve(), b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n")
            self.world.advance(1.2)
            self.assertEqual(client.received.split(b" ")[1], b"200" if found else b"502")
            self.assertEqual(client.received.partition(b"\r\n\r\n")[2], b"")

    def test_upgrade(self) -> None:
        """
        Who wants another protocol gets it.
        """
        self.lose()
        client = self.ask("GET /", "Connection: Upgrade", "Upgrade: echo")
        service = self.serve()
        request = self.answer(
            service, b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n"
        )
        self.assertIn(b"\r\nUpgrade: echo\r\n", request)
        self.world.say(service.peers[-1], b"hi")
        self.assertTrue(client.received.endswith(b"\r\n\r\nhi"))
        self.world.say(client, b"ho")
        self.assertEqual(service.peers[-1].take(), b"ho")
        client.transport.abortConnection()
        self.world.pump()

    def test_body(self) -> None:
        """
        A body comes whole, and no more of it is read before there is somewhere to send it than is kept anyway.
        """
        self.lose()
        size = 300_000
        client = self.ask("POST /", f"Content-Length: {size}", body=bytes(KEPT + 1))
        self.world.say(client, bytes(size - KEPT - 1))
        self.assertFalse(self.world.pipes[-1].right.reading)
        service = self.serve()
        self.assertEqual(service.peers[-1].received.partition(b"\r\n\r\n")[2], bytes(size))
        self.answer(service)
        self.assertEqual(client.received, OK)

    def test_malformed(self) -> None:
        """
        A body that is none is refused while its request waits, which it does no longer then.
        """
        self.lose()
        client = self.ask("POST /", "Transfer-Encoding: chunked", body=b"nonsense\r\n")
        self.assertEqual(client.received.split(b" ")[1], b"400")
        self.assertEqual((self.room.waiting, self.waits()), (0, {"gone": 1}))

    def test_pipelined(self) -> None:
        """
        Requests behind one that waits are answered after it.
        """
        self.lose()
        client = self.ask()
        self.world.say(client, b"GET /2 HTTP/1.1\r\nHost: h\r\nx-pico-endpoint: other\r\n\r\n")
        self.answer(self.serve())
        self.assertTrue(client.received.startswith(OK + b"HTTP/1.1 502 "))

    def test_draining(self) -> None:
        """
        A node that drains still serves those who wait, and closes behind that.
        """
        self.lose()
        client = self.ask()
        self.port.part()
        self.port.drain()
        self.answer(self.serve())
        self.assertIn(b"\r\nConnection: close\r\n", client.received)
        self.assertTrue(client.over)


class RefusedTests(WaitingTestCase):
    """
    An endpoint that the node believes is served.
    """

    def test_found_elsewhere(self) -> None:
        """
        Who is refused since nothing is there any more is served by whoever has it next, whatever the method.
        """
        kinds = (FailureKind.NO_BACKEND, FailureKind.UNREACHABLE, FailureKind.NODE_UNREACHABLE, FailureKind.LOST)
        for kind in kinds:
            self.known.services.clear()
            self.serve(down=kind)
            client = self.ask("POST /", "Content-Length: 4", body=b"body")
            self.assertEqual((client.received, self.room.waiting), (b"", 1), kind)
            request = self.answer(self.serve())
            self.assertTrue(request.endswith(b"\r\n\r\nbody"), kind)
            self.assertEqual(client.received, OK)
        self.assertEqual(self.number("pico_proxy_retries_total"), len(kinds))
        self.assertEqual(self.waits(), {"found": len(kinds)})

    def test_found_there(self) -> None:
        """
        It may be the same one, when it says that it has got a new one.
        """
        service = self.serve(down=FailureKind.NO_BACKEND)
        client = self.ask()
        service.down = None
        self.world.advance(0.4)
        self.assertEqual(client.received, b"")
        self.tell("e")
        self.answer(service)
        self.assertEqual(client.received, OK)

    def test_not_told(self) -> None:
        """
        It may also have got one without a word of it: so it is asked again, soon and when the time is over.
        """
        for before, after in ((0.0, 0.4), (0.6, 0.6)):
            self.known.services.clear()
            service = self.serve(down=FailureKind.NO_BACKEND)
            clients = [self.ask(), self.ask()]
            self.world.advance(before)
            service.down = None
            self.world.advance(after)
            for peer, client in zip(service.peers, clients, strict=True):
                self.world.say(peer, OK)
                self.assertEqual(client.received, OK)
        self.assertEqual(self.waits(), {"again": 6})

    def test_none(self) -> None:
        """
        If there is none in time the answer is what was said last. From then on nobody waits for it, until something is
        heard of it.
        """
        for kind, error in [
            (FailureKind.NO_BACKEND, "no available upstreams"),
            (FailureKind.NODE_UNREACHABLE, "upstream unreachable"),
        ]:
            self.known.services.clear()
            self.serve(down=kind)
            client = self.ask()
            self.world.advance(0.8)
            self.assertEqual(client.received, b"")
            self.world.advance(0.4)
            self.assert_none(client, error)
            self.assert_none(self.ask(), error)
            self.tell("e")
            client = self.ask()
            self.assertEqual(client.received, b"")
            self.world.advance(1.2)

    def test_not_asked_again(self) -> None:
        """
        A node that cannot be reached is not tried once more when the time is over.
        """
        service = self.serve(down=FailureKind.NODE_UNREACHABLE)
        client = self.ask()
        service.down = None
        self.world.advance(0.8)
        self.assertEqual(client.received, b"")
        self.world.advance(0.4)
        self.assert_none(client, "upstream unreachable")
        self.assertEqual(service.acquired, 0)

    def test_attempts(self) -> None:
        """
        However often something is heard of an endpoint, a request is refused so many times and no more.
        """
        self.serve(down=FailureKind.NO_BACKEND)
        client = self.ask()
        for _ in range(2):
            self.assertEqual(client.received, b"")
            self.tell("e")
        self.assert_none(client)

    def test_failed(self) -> None:
        """
        Nobody waits for what is there and fails.
        """
        for kind in (FailureKind.OVERLOADED, FailureKind.CONNECT_TIMEOUT, FailureKind.DECLINED, FailureKind.TIMEOUT):
            self.known.services.clear()
            self.serve(down=kind)
            self.assertNotEqual(self.ask().received, b"", kind)
        self.assertEqual(self.waits(), {})

    def test_declined(self) -> None:
        """
        Nor when one of two says that its service is down, and the other one is gone.
        """
        one = self.serve()
        self.serve(down=FailureKind.UNREACHABLE)
        client = self.ask()
        self.answer(one, DECLINED)
        self.assert_none(client, "upstream unreachable")

    def test_lost(self) -> None:
        """
        Nor for what has perhaps been worked on.
        """
        service = self.serve()
        client = self.ask()
        service.peers[-1].transport.abortConnection()
        self.world.pump()
        self.assert_none(client, "upstream unreachable")

    def test_here(self) -> None:
        """
        Nor while this node has a tunnel, whatever became of the request in it.
        """
        self.here = True
        self.serve(down=FailureKind.UNREACHABLE)
        self.assert_none(self.ask(), "upstream unreachable")
