"""
A stream that another node has opened, from its preamble to its end: joined to a stream of a tunnel of this node, and
nothing of what passes is looked at.

One hop at most, by construction: a relay knows no other upstreams than the tunnels of this node.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import Final, Protocol, cast

from twisted.internet.interfaces import IHalfCloseableProtocol, IProtocol, ITransport
from twisted.python.failure import Failure
from zope.interface import classImplements

from pico.names import EndpointKey
from pico.net.http.client import never_processed
from pico.net.http.gateway import FailureKind
from pico.net.splice import Splice, SpliceEnd
from pico.tunnel.stream import TunnelStream
from pico.tunnel.supply import StreamTaker
from pico.wire.link_notices import NoticeType
from pico.wire.preamble import Answer, Kind, Malformed, Preamble, PreambleReader, Verdict, encode_answer

#: Tunnels that are tried for one stream; the other node may ask again.
ATTEMPTS: Final = 4

#: A tunnel's number in an answer.
_NUMBERS: Final = 0xFFFFFFFF


class LocalUpstream(Protocol):
    """
    A tunnel of this node.

    :ivar number: by which operators know it.
    """

    number: int

    def open(self, taker: StreamTaker) -> None:
        """
        Give a taker a stream, perhaps before returning.
        """

    def mark(self, taker: StreamTaker, busy: bool) -> None:
        """
        Count the taker's stream as under way, or not.
        """

    def done(self, taker: StreamTaker) -> None:
        """
        The taker's stream is gone, or is not wanted any more.
        """


class LocalUpstreams(Protocol):
    """
    The tunnels of this node.
    """

    def choose(self, key: EndpointKey, tried: Sequence[object]) -> LocalUpstream | None:
        """
        Choose one of an endpoint's, none of those that were tried.
        """

    def blame(self, key: EndpointKey, numbers: Sequence[int]) -> None:
        """
        Tunnels with these numbers could not serve a request: prefer others for a moment.
        """


class Host(Protocol):
    """
    The link of a relay.
    """

    def judge(self, preamble: Preamble) -> Verdict:
        """
        Say whether a stream may be joined to a tunnel at all.
        """

    def answered(self, verdict: Verdict) -> None:
        """
        This was said to the other node.
        """

    def tell(self, kind: NoticeType, stream: int) -> bool:
        """
        Tell the other node something about a stream.

        :return: whether it will hear that, if the link lives.
        """

    def ended(self, relay: Relay, received: int, sent: int) -> None:
        """
        It is over; so many bytes came from the other node, and went there.
        """


class Stage(enum.Enum):
    """
    How far a relay is.
    """

    READING = "waiting for the preamble"
    OPENING = "waiting for a stream of a tunnel"
    JOINED = "joined"
    RETURNED = "not taken by its tunnel, which the other node was told"
    ENDED = "over"


class Relay:
    """
    The protocol of a stream until it is joined to a tunnel's.

    :ivar since: when it began, on the link's clock.
    :ivar stage: how far it is.
    """

    __slots__ = (
        "__weakref__",
        "_early",
        "_host",
        "_key",
        "_kind",
        "_reader",
        "_seen",
        "_splice",
        "_stream",
        "_tried",
        "_upstream",
        "_upstreams",
        "_verdict",
        "since",
        "stage",
    )

    def __init__(self, host: Host, upstreams: LocalUpstreams, stream: TunnelStream, now: float) -> None:
        self._early = b""
        self._host = host
        self._kind = Kind.HTTP
        self._key: EndpointKey | None = None
        self._reader = PreambleReader()
        #: Bytes that had passed when it was looked at last.
        self._seen = 0
        self._splice: Splice | None = None
        self._stream = stream
        self._tried: list[LocalUpstream] = []
        self._upstream: LocalUpstream | None = None
        self._upstreams = upstreams
        self._verdict = Verdict.NO_ENDPOINT
        self.since = now
        self.stage = Stage.READING

    # What the link asks

    @property
    def passed(self) -> tuple[int, int]:
        """
        Bytes that came from the other node behind the preamble, and that went there behind the answer.
        """
        splice = self._splice
        return (splice.left.received, splice.right.received) if splice is not None else (0, 0)

    def busy(self) -> bool:
        """
        Whether anything has passed since this was asked last, or the other node waits for an answer; so a stream that
        is only kept for a next request is not.
        """
        splice = self._splice
        if splice is None:
            return True
        passed = splice.left.received + splice.right.received
        moved = passed != self._seen
        self._seen = passed
        return moved or splice.last is not splice.right or self._kind is not Kind.HTTP

    def give_up(self) -> None:
        """
        The preamble has not come in time, or the other node has not taken back a stream that it was told to.
        """
        if self.stage is Stage.READING:
            self._refuse(Verdict.BAD_PREAMBLE)
        else:
            self._stream.abortConnection()

    def look(self) -> bool:
        """
        Count in the tunnel's load only what is under way.

        :return: whether this is.
        """
        busy = self.busy()
        if self.stage is Stage.JOINED and self._upstream is not None:
            self._upstream.mark(self, busy)
        return busy

    # IProtocol, for the stream of the link

    def makeConnection(self, transport: ITransport) -> None:
        """
        Nothing to do before the preamble.
        """

    def connectionMade(self) -> None:
        """
        The same.
        """

    def dataReceived(self, data: bytes) -> None:
        """
        Take the preamble, and what comes behind it.
        """
        if self.stage is not Stage.READING:
            return
        outcome = self._reader.receive_data(data)
        if outcome is None:
            return
        self._early = self._reader.take_leftover()
        if isinstance(outcome, Malformed):
            self._refuse(Verdict.BAD_PREAMBLE)
            return
        self._kind = outcome.kind
        self._key = outcome.key
        verdict = self._host.judge(outcome)
        if verdict is not Verdict.ACCEPTED:
            self._refuse(verdict)
            return
        if outcome.failed:
            self._upstreams.blame(outcome.key, outcome.failed)
        self.stage = Stage.OPENING
        self._try_next(outcome.key)
        if self.stage is Stage.OPENING:
            # What follows, be it the end, is held until there is somewhere to put it.
            self._stream.pauseProducing()

    def readConnectionLost(self) -> None:
        """
        The other node has ended its side without having said what for.
        """
        self._stream.abortConnection()

    def writeConnectionLost(self) -> None:
        """
        Our own side has ended, as we asked.
        """

    def connectionLost(self, reason: Failure) -> None:
        """
        The stream is gone before it was joined.
        """
        if self._upstream is not None:
            self._upstream.done(self)
        self._end(0, 0)

    # StreamTaker, for the tunnel

    def stream_opened(self, stream: TunnelStream) -> None:
        """
        Join the two streams, behind our answer.
        """
        upstream = self._upstream
        if upstream is None:
            stream.abortConnection()
            return
        self.stage = Stage.JOINED
        self._answer(Answer(Verdict.ACCEPTED, upstream.number & _NUMBERS))
        splice = self._splice = Splice(self._over, self._broken)
        self._stream.protocol = cast(IProtocol, splice.left)
        splice.left.makeConnection(self._stream)
        stream.attach(cast(IProtocol, splice.right))
        early, self._early = self._early, b""
        if early:
            splice.left.dataReceived(early)

    def stream_refused(self, kind: FailureKind) -> None:
        """
        Try another tunnel.
        """
        if self._upstream is None or self._key is None:
            return
        self._tried.append(self._upstream)
        self._upstream = None
        self._verdict = Verdict.OVERLOADED if kind is FailureKind.OVERLOADED else Verdict.FAILED
        self._try_next(self._key)

    def upstream_leaves(self) -> None:
        """
        The tunnel is about to go: let the other node send no further request over the stream.
        """
        if self._kind is Kind.HTTP:
            self._host.tell(NoticeType.RETIRE, self._stream.id)

    # Inside

    def _try_next(self, key: EndpointKey) -> None:
        upstream = self._upstreams.choose(key, self._tried) if len(self._tried) < ATTEMPTS else None
        self._upstream = upstream
        if upstream is None:
            self._refuse(self._verdict)
        else:
            upstream.open(self)

    def _answer(self, answer: Answer) -> None:
        self._host.answered(answer.verdict)
        self._stream.write(encode_answer(answer))

    def _refuse(self, verdict: Verdict) -> None:
        self.stage = Stage.ENDED
        self._early = b""
        self._answer(Answer(verdict))
        self._stream.loseConnection()

    def _broken(self, end: SpliceEnd, reason: Failure) -> bool:
        splice = self._splice
        if splice is None or end is not splice.right or end.received or not never_processed(reason):
            return False
        # The agent had not taken the stream when it left. The other node may still hold the request. It resets the
        # stream when it hears so; an end from here might overtake the notice.
        if not self._host.tell(NoticeType.UNPROCESSED, self._stream.id):
            return False
        self.stage = Stage.RETURNED
        return True

    def _over(self, received: int, sent: int) -> None:
        if self._upstream is not None:
            self._upstream.done(self)
        self._end(received, sent)

    def _end(self, received: int, sent: int) -> None:
        self.stage = Stage.ENDED
        self._upstream = None
        self._host.ended(self, received, sent)


classImplements(Relay, IProtocol, IHalfCloseableProtocol)
