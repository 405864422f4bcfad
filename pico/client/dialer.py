"""
One try to get a tunnel: connect, ask for the upgrade, begin the session.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Protocol as TypingProtocol
from typing import cast
from urllib.parse import quote

import attrs
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectingCancelledError, ConnectionDone, ConnectionLost
from twisted.internet.error import TimeoutError as ConnectTimeout
from twisted.internet.interfaces import (
    IOpenSSLClientConnectionCreator,
    IProtocol,
    IProtocolFactory,
    IReactorTCP,
    IReactorTime,
)
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.ssl import optionsForClientTLS
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure

from pico.client.capabilities import offer
from pico.client.upgrade import Accepted, Refused, Upgrade
from pico.client.urls import NodeURL
from pico.errors import ConfigError, PicoError
from pico.net.http.transport import IStreamTransport, hand_over
from pico.net.once import Once
from pico.net.ports import make_client_endpoint
from pico.net.reasons import why
from pico.net.turn import Turn
from pico.net.websocket import WebSocketTransport
from pico.tunnel.session import TunnelSession, TunnelSettings
from pico.tunnel.stream import TunnelStream
from pico.wire.http1.headers import HeaderCache
from pico.wire.websocket.handshake import KEY_SIZE, make_key
from pico.wire.websocket.stream import ByteStream, Side
from pico.wire.yamux.session import Role

#: The paths of tunnels at a Pico node and at a Piko server.
_PATHS = ("/pico/v1/upstream/", "/piko/v1/upstream/")


class DialError(PicoError):
    """
    There is no tunnel.

    :ivar status: what the node answered; ``None`` when there was no HTTP answer.
    :ivar retry_after: seconds that the node asks to wait; 0 if it does not.
    """

    def __init__(self, reason: str, status: int | None = None, retry_after: float = 0.0) -> None:
        super().__init__(reason)
        self.status = status
        self.retry_after = retry_after


def _header_value(instance: object, attribute: attrs.Attribute[str], value: str) -> None:
    # Whatever else it held would be another header, or none.
    if value and not (value.isascii() and value.isprintable() and value == value.strip()):
        raise ConfigError(f"the {attribute.name} must be visible ASCII characters, without spaces around them")


@attrs.frozen
class DialSettings:
    """
    How to dial.

    :ivar timeout: seconds for connection and upgrade together.
    :ivar token: shown as ``Authorization: Bearer``; empty for none.
    :ivar version: of this program.
    :ivar tls: how to speak TLS with the node, if its URL asks for it; ``None`` to trust what the system
        trusts.
    """

    url: NodeURL
    timeout: float = 30.0
    token: str = attrs.field(default="", repr=False, validator=_header_value)
    tenant_id: str = attrs.field(default="", validator=_header_value)
    version: str = attrs.field(default="", validator=_header_value)
    tunnel: TunnelSettings = attrs.field(factory=TunnelSettings)
    tls: IOpenSSLClientConnectionCreator | None = None


@attrs.frozen(eq=False)
class Tunnel:
    """
    A tunnel that stands.

    :ivar node: the node's id; empty when it does not say.
    :ivar capabilities: what both sides understand beyond Piko's bytes.
    :ivar proxy_port: where the node takes requests; 0 when it does not say.
    :ivar url: what was dialled, without its query.
    """

    session: TunnelSession
    node: str
    capabilities: frozenset[str]
    proxy_port: int = 0
    url: str = ""


class TunnelUser(TypingProtocol):
    """
    Whom a tunnel tells what happens, from the moment that the dial has succeeded.
    """

    def stream_opened(self, stream: TunnelStream) -> None:
        """
        The node has opened a stream: attach a protocol, or abort it.
        """

    def node_leaves(self) -> None:
        """
        The node takes no streams any more, and asks to dial another.
        """

    def tunnel_closed(self, reason: Failure) -> None:
        """
        The tunnel is gone, with all its streams.
        """


class Dialer:
    """
    Dial one node's upstream port, for any number of endpoints.
    """

    def __init__(
        self,
        settings: DialSettings,
        *,
        reactor: IReactorTCP,
        clock: IReactorTime,
        turn: Turn,
        random_bytes: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._turn = turn
        self._random_bytes = random_bytes
        self._cache = HeaderCache(size=64)
        #: The path that the node knew last comes first.
        self._paths = _PATHS
        url = settings.url
        self._tls = (settings.tls or optionsForClientTLS(url.host)) if url.secure else None
        self._endpoint = make_client_endpoint(reactor, url.host, url.port, settings.timeout)

    @property
    def url(self) -> NodeURL:
        """
        Where it dials.
        """
        return self._settings.url

    def dial(self, endpoint: str, user: TunnelUser) -> Deferred[Tunnel]:
        """
        Get a tunnel for an endpoint.

        :return: fails with :class:`DialError`; cancelling it drops the connection.
        """
        return Deferred.fromCoroutine(self._dial(endpoint, user))

    async def _dial(self, endpoint: str, user: TunnelUser) -> Tunnel:
        first, other = self._paths
        try:
            return await self._try(first, endpoint, user)
        except DialError as failed:
            if failed.status != 404:
                raise
            # A Piko server knows its own path alone.
            try:
                tunnel = await self._try(other, endpoint, user)
            except DialError as again:
                if again.status == 404:
                    raise failed from None
                self._paths = (other, first)
                raise
        self._paths = (other, first)
        return tunnel

    async def _try(self, path: str, endpoint: str, user: TunnelUser) -> Tunnel:
        settings = self._settings
        target = settings.url.target(path + quote(endpoint, safe=""))
        key = make_key(self._random_bytes(KEY_SIZE))
        dialling = _Dialling(Upgrade(target, self._lines(), key, self._cache), self._beginner(user))

        def timed_out(_: object, seconds: float) -> Failure:
            if dialling.connected:
                return Failure(self._failed(dialling.upgrade.give_up()))
            return Failure(self._unreachable(f"no answer within {seconds:g}s"))

        connected = self._endpoint.connect(self._factory(dialling))
        answered: Deferred[Tunnel | Refused] = connected.addCallback(lambda _: dialling.answered)
        answered.addTimeout(settings.timeout, self._clock, timed_out)
        try:
            outcome = await answered
        except (DialError, CancelledError):
            raise
        except ConnectingCancelledError:
            raise CancelledError from None
        except ConnectTimeout:
            raise self._unreachable(f"no answer within {settings.timeout:g}s") from None
        except Exception as error:
            raise self._unreachable(why(error)) from error
        if isinstance(outcome, Refused):
            raise self._failed(outcome)
        return outcome

    def _factory(self, protocol: IProtocol) -> IProtocolFactory:
        once = Once(protocol)
        if self._tls is None:
            return once
        # What the TLS endpoint of Twisted does, but on our clock.
        return cast(IProtocolFactory, TLSMemoryBIOFactory(self._tls, True, once, self._clock))

    def _failed(self, refusal: Refused) -> DialError:
        reason = refusal.reason
        if refusal.status is None:
            reason = f"{self._settings.url.text}: {reason}"
        return DialError(reason, refusal.status, refusal.retry_after)

    def _unreachable(self, reason: str) -> DialError:
        return DialError(f"cannot connect to {self._settings.url.text}: {reason}")

    def _beginner(self, user: TunnelUser) -> Callable[[Accepted], tuple[Tunnel, WebSocketTransport]]:
        def begin(accepted: Accepted) -> tuple[Tunnel, WebSocketTransport]:
            session = TunnelSession(
                Role.CLIENT,
                clock=self._clock,
                turn=self._turn,
                settings=self._settings.tunnel,
                on_stream=user.stream_opened,
                on_going_away=user.node_leaves,
                on_closed=user.tunnel_closed,
            )
            carrier = WebSocketTransport(session, ByteStream(Side.CLIENT, masks=self._random_bytes))
            url = self._settings.url.text
            return Tunnel(session, accepted.node, accepted.capabilities, accepted.proxy_port, url), carrier

        return begin

    def _lines(self) -> list[bytes]:
        """
        The request's header lines beside those of the WebSocket.
        """
        settings = self._settings
        lines = [b"Host: " + settings.url.authority, offer()]
        if settings.token:
            lines.append(b"Authorization: Bearer " + settings.token.encode("ascii"))
        if settings.tenant_id:
            lines.append(b"x-piko-tenant-id: " + settings.tenant_id.encode("ascii"))
        if settings.version:
            lines.append(b"User-Agent: pico/" + settings.version.encode("ascii"))
            lines.append(b"x-pico-version: " + settings.version.encode("ascii"))
        return lines


class _Dialling(Protocol):
    """
    A connection until it is a tunnel, or none.

    :ivar answered: fires once, with a tunnel or a refusal; cancelling it drops the connection.
    """

    def __init__(self, upgrade: Upgrade, begin: Callable[[Accepted], tuple[Tunnel, WebSocketTransport]]) -> None:
        self.upgrade = upgrade
        self.answered: Deferred[Tunnel | Refused] = Deferred(self._cancelled)
        self._begin = begin

    def connectionMade(self) -> None:
        """
        Ask.
        """
        self._transport().write(self.upgrade.request)

    def dataReceived(self, data: bytes) -> None:
        """
        Take a part of the answer.
        """
        outcome = None if self.answered.called else self.upgrade.receive_data(data)
        if isinstance(outcome, Accepted):
            tunnel, carrier = self._begin(outcome)
            hand_over(self._transport(), carrier)
            leftover = self.upgrade.take_leftover()
            # First whoever dialled gets to know the tunnel, then what is on it.
            self.answered.callback(tunnel)
            if leftover:
                carrier.dataReceived(leftover)
        elif outcome is not None:
            self._transport().loseConnection()
            self.answered.callback(outcome)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        There will be no more of an answer.
        """
        if not self.answered.called:
            self.answered.callback(
                self.upgrade.receive_eof()
                if reason.check(ConnectionDone, ConnectionLost)
                else Refused(why(reason.value))
            )

    def _cancelled(self, _: Deferred[Tunnel | Refused]) -> None:
        self._transport().abortConnection()

    def _transport(self) -> IStreamTransport:
        return cast(IStreamTransport, self.transport)
