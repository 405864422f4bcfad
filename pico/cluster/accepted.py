"""
A link that another node has to this one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol as TypingProtocol

from twisted.internet.interfaces import IReactorTime
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure

from pico.cluster.relay import LocalUpstreams, Relay, Stage
from pico.errors import TunnelError
from pico.net.turn import Turn
from pico.tunnel.leaving import Leaving
from pico.tunnel.session import TunnelSession, TunnelSettings
from pico.tunnel.stream import TunnelStream
from pico.wire.link_auth import Peer
from pico.wire.link_notices import Notice, NoticeType, encode_notice
from pico.wire.preamble import Preamble, Verdict
from pico.wire.yamux.session import Role

#: Stages in which a relay waits for the other node, which has nothing else to do first.
_AWAITED = (Stage.READING, Stage.RETURNED)


class LinkHost(TypingProtocol):
    """
    Where links end: what they tell it, and what they ask.

    :ivar upstreams: where their streams may go.
    """

    upstreams: LocalUpstreams

    def judge(self, preamble: Preamble) -> Verdict:
        """
        Say whether a stream may be joined to a tunnel at all.
        """

    def answered(self, verdict: Verdict) -> None:
        """
        A link has said this of a stream.
        """

    def passed_on(self, received: int, sent: int) -> None:
        """
        A stream is over, with so many bytes from the other node and to it.
        """

    def watch(self) -> None:
        """
        There is a relay to be looked at from time to time.
        """

    def closed(self, link: AcceptedLink, reason: Failure) -> None:
        """
        A link is gone.
        """


class AcceptedLink:
    """
    A link that another node has to this one: the session, and a relay for each of its streams.

    :ivar peer: the other node.
    :ivar relays: those that are not over.
    :ivar busy: how many of them are under way, as far as the last look goes.
    """

    def __init__(
        self,
        port: LinkHost,
        peer: Peer,
        *,
        clock: IReactorTime,
        turn: Turn,
        tunnel: TunnelSettings,
        preamble_timeout: float,
    ) -> None:
        """
        :param tunnel: times and limits of the session.
        :param preamble_timeout: see :class:`pico.cluster.accept.AcceptSettings`.
        """
        self._port = port
        self._clock = clock
        self._preamble_timeout = preamble_timeout
        self._notices: TunnelStream | None = None
        self._leaving: Leaving | None = None
        self.busy = 0
        self.peer = peer
        self.relays: dict[Relay, None] = {}
        self.session = TunnelSession(
            Role.SERVER,
            clock=clock,
            turn=turn,
            settings=tunnel,
            on_stream=self._offered,
            on_going_away=_nothing,
            on_closed=self._closed,
        )

    def look(self, now: float) -> None:
        """
        See which relays are under way, and end those whose preamble does not come.
        """
        busy = 0
        for relay in list(self.relays):
            if relay.stage in _AWAITED and now - relay.since >= self._preamble_timeout:
                relay.give_up()
            busy += relay.look()
        self.busy = busy

    def leave(self, grace: float) -> None:
        """
        Close when the last stream has ended, or after ``grace`` seconds.
        """
        if self._leaving is None:
            self._leaving = Leaving(self.session, clock=self._clock, grace=grace)
            self._leaving.start()
            self._end_notices()
        else:
            self._leaving.hurry(grace)

    # Host, for the relays

    def judge(self, preamble: Preamble) -> Verdict:
        """
        Say whether a stream may be joined to a tunnel at all.
        """
        return self._port.judge(preamble)

    def answered(self, verdict: Verdict) -> None:
        """
        Count what was said to the other node.
        """
        self._port.answered(verdict)

    def tell(self, kind: NoticeType, stream: int) -> bool:
        """
        Tell the other node something about a stream.

        :return: whether it will hear that, if the link lives.
        """
        notices = self._notices
        if notices is None:
            try:
                notices = self.session.open_stream()
            except TunnelError:
                return False  # it takes none: then it is on its way out, and its streams with it
            self._notices = notices
            notices.attach(_Notices(self._notices_lost))
        notices.write(encode_notice(Notice(kind, stream)))
        return True

    def ended(self, relay: Relay, received: int, sent: int) -> None:
        """
        A relay is over.
        """
        if self.relays.pop(relay, relay) is None:
            self._port.passed_on(received, sent)
            self._end_notices()

    # Inside

    def _offered(self, stream: TunnelStream) -> None:
        relay = Relay(self, self._port.upstreams, stream, self._clock.seconds())
        self.relays[relay] = None
        self._port.watch()
        stream.attach(relay)

    def _closed(self, reason: Failure) -> None:
        if self._leaving is not None:
            self._leaving.closed()
        self.busy = 0
        self._port.closed(self, reason)

    def _notices_lost(self) -> None:
        self._notices = None

    def _end_notices(self) -> None:
        if self._leaving is not None and not self.relays and self._notices is not None:
            self._notices.loseConnection()


class _Notices(Protocol):
    """
    The protocol of the stream for notices; nothing comes back on it.
    """

    def __init__(self, lost: Callable[[], None]) -> None:
        self._lost = lost

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._lost()


def _nothing() -> None:
    """
    The other node opens no more streams, which it need not say.
    """
