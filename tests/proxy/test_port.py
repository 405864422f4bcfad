"""
Tests for :mod:`pico.proxy.port`: what it decides before a request goes anywhere.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence

import attrs
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from pico.errors import RemoteProtocolError
from pico.interfaces import Identity, ISelector, IVerifier
from pico.log.redaction import Redaction
from pico.metrics import Metrics
from pico.names import EndpointKey, NodeId, TenantId
from pico.net.deadlines import Deadlines
from pico.net.http.access_log import AccessLog, AccessLogSettings
from pico.net.http.request_ids import RequestIds
from pico.net.http.server import ServerSettings
from pico.proxy.headers import fate_of
from pico.proxy.port import ProxyPort, ProxySettings
from pico.proxy.record import Recorder
from pico.proxy.trust import TrustedProxies
from pico.testing import MemoryPipe, RecordingProtocol
from pico.wire.http1.headers import HeaderCache
from tests.proxy.support import make_room


@implementer(ISelector)
@attrs.define(eq=False)
class Nothing:
    """
    Serves nothing, and remembers what it was asked for.
    """

    asked: list[EndpointKey] = attrs.field(factory=list)

    def choose(self, key: EndpointKey, tried: Sequence[object]) -> object | None:
        """
        Remember.
        """
        self.asked.append(key)
        return None


@implementer(IVerifier)
class ByToken:
    """
    Takes the token for the tenant, who may use "e" alone.
    """

    def verify(self, header: Callable[[bytes], bytes]) -> Identity:
        """
        Look.
        """
        token = header(b"authorization").decode()
        if not token:
            raise RemoteProtocolError(401, "missing authorization")
        return Identity(TenantId(token), frozenset({"e"}))


class DecidingTests(SynchronousTestCase):
    """
    A port that knows no upstream.
    """

    def setUp(self) -> None:
        """
        Make one.
        """
        self.clock = Clock()
        self.selector = Nothing()
        deadlines = Deadlines(self.clock)
        self.port = ProxyPort(
            selector=self.selector,
            verifier=ByToken(),
            settings=ProxySettings(server=ServerSettings()),
            trusted=TrustedProxies(()),
            cache=HeaderCache(fate_of),
            clock=self.clock,
            deadlines=deadlines,
            recorder=Recorder(Metrics()),
            access_log=AccessLog(AccessLogSettings(redaction=Redaction(()), enabled=False), "proxy.access"),
            node_id=NodeId("node"),
            ids=RequestIds(random.Random(1)),
            room=make_room(self.selector, self.clock, deadlines),
        )

    def ask(self, target: bytes, *lines: bytes, token: bytes = b"ours") -> tuple[int, str]:
        """
        The status and error of the answer to a GET.
        """
        client = RecordingProtocol()
        pipe = MemoryPipe(clock=self.clock)
        server = self.port.buildProtocol(None)
        assert server is not None
        pipe.connect(client, server)
        head = [b"GET " + target + b" HTTP/1.1", b"Host: e.example", *lines]
        if token:
            head.append(b"Authorization: " + token)
        pipe.left.write(b"\r\n".join([*head, b"", b""]))
        pipe.pump()
        pipe.left.loseConnection()
        pipe.pump()
        first, _, body = client.received.partition(b"\r\n\r\n")
        return int(first.split()[1]), json.loads(body)["error"]

    def test_reserved(self) -> None:
        """
        Paths that belong to Pico go nowhere, however the target is written; others do, also below them.
        """
        for target in (b"/_pico/v1/tcp/e", b"/_piko/v1/tcp/e", b"/_pico/", b"http://e.example/_pico/v1/tcp/e"):
            self.assertEqual(self.ask(target), (404, "not found"), target)
        self.assertEqual(self.selector.asked, [])
        for target in (b"/_pico", b"/_picox/", b"/a/_pico/", b"/?/_pico/", b"http://e.example/a"):
            self.assertEqual(self.ask(target), (502, "no available upstreams"), target)
        self.assertEqual(len(self.selector.asked), 5)

    def test_verified(self) -> None:
        """
        Nothing is looked for on behalf of somebody unknown, or of an endpoint that was not granted.
        """
        self.assertEqual(self.ask(b"/", token=b""), (401, "missing authorization"))
        self.assertEqual(self.ask(b"/", b"x-pico-endpoint: f"), (401, "endpoint not permitted"))
        self.assertEqual(self.selector.asked, [])

    def test_tenant(self) -> None:
        """
        An endpoint is looked for within the tenant of whoever asks, also when all the rest of the request is the same.
        """
        for token in (b"ours", b"theirs", b"ours"):
            self.assertEqual(self.ask(b"/", token=token), (502, "no available upstreams"))
        self.assertEqual([key.tenant for key in self.selector.asked], ["ours", "theirs", "ours"])
        self.assertEqual({key.endpoint for key in self.selector.asked}, {"e"})
