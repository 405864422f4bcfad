"""
A stream over a link until the other node has said what became of it.

The request goes out behind the preamble without waiting for the answer. But no more of a body is taken from the client
than came with the head: should the other node refuse, all of it is still here, and it can be sent elsewhere.
"""

from __future__ import annotations

from typing import ClassVar, Protocol, cast

from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import IHalfCloseableProtocol, IProtocol, ITransport
from twisted.python.failure import Failure
from zope.interface import classImplements

from pico.net.http.client import HTTPClientProtocol
from pico.net.http.gateway import FailureKind
from pico.tunnel.stream import TunnelStream
from pico.wire.preamble import Answer, AnswerReader, Verdict

_KINDS = {
    Verdict.NO_ENDPOINT: FailureKind.NO_BACKEND,
    Verdict.UNAUTHORISED: FailureKind.NO_BACKEND,
    Verdict.OVERLOADED: FailureKind.OVERLOADED,
    Verdict.DRAINING: FailureKind.NODE_UNREACHABLE,
    Verdict.BAD_PREAMBLE: FailureKind.NODE_UNREACHABLE,
    Verdict.FAILED: FailureKind.UNREACHABLE,
}


class StreamDeclined(ConnectionLost):
    """
    The other node did not take the stream, and has looked at nothing that was sent.

    :ivar kind: what that means for a request.
    """

    #: Said to be of the class, or compiled no object would have it.
    never_processed: ClassVar[bool] = True

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(f"the other node said {verdict.name}")
        self.verdict = verdict
        self.kind = _KINDS[verdict]


class AnswerHearer(Protocol):
    """
    Who wants to know the answer.
    """

    def answered(self, client: HTTPClientProtocol, answer: Answer) -> None:
        """
        It has come.
        """


class Opening:
    """
    The protocol of a stream until the answer has come; then the stream belongs to the client.

    :ivar client: sends and will receive over the stream.
    """

    __slots__ = ("__weakref__", "_hearer", "_preamble", "_reader", "_stream", "client")

    def __init__(self, client: HTTPClientProtocol, preamble: bytes, hearer: AnswerHearer) -> None:
        self._hearer = hearer
        self._preamble = preamble
        self._reader = AnswerReader()
        self._stream: TunnelStream | None = None
        self.client = client

    def makeConnection(self, transport: ITransport) -> None:
        """
        Send the preamble; what the client sends follows it.
        """
        stream = cast(TunnelStream, transport)
        self._stream = stream
        stream.write(self._preamble)
        self.client.makeConnection(transport)
        stream.hold_back()

    def connectionMade(self) -> None:
        """
        Nothing more to do than :meth:`makeConnection` did; here because the interface asks for it.
        """

    def dataReceived(self, data: bytes) -> None:
        """
        Take the answer, and hand the stream over behind it.
        """
        stream = self._stream
        answer = self._reader.receive_data(data)
        if answer is None or stream is None:
            return
        self._hearer.answered(self.client, answer)
        if answer.verdict is not Verdict.ACCEPTED:
            stream.abort_because(Failure(StreamDeclined(answer.verdict)))
            return
        client = self.client
        stream.protocol = cast(IProtocol, client)
        stream.go_ahead()
        leftover = self._reader.take_leftover()
        if leftover:
            client.dataReceived(leftover)

    def readConnectionLost(self) -> None:
        """
        The other node has ended its side without a word, which no node does in good order.
        """
        if self._stream is not None:
            self._stream.abort_because(Failure(ConnectionLost()))

    def writeConnectionLost(self) -> None:
        """
        Our own side has ended, as we asked.
        """

    def connectionLost(self, reason: Failure) -> None:
        """
        The stream is gone.
        """
        self.client.connectionLost(reason)


classImplements(Opening, IProtocol, IHalfCloseableProtocol)
