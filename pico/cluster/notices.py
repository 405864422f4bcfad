"""
What the other node tells beside the streams of a link, acted upon.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure

from pico.cluster.opening import Opening
from pico.net.http.client import HTTPClientProtocol
from pico.tunnel.reasons import StreamRefused
from pico.tunnel.session import TunnelSession
from pico.tunnel.stream import TunnelStream
from pico.wire.link_notices import NoticeReader, NoticeType

_REFUSED = Failure(StreamRefused())


class NoticeProtocol(Protocol):
    """
    The protocol of the one stream that the other node opens.
    """

    def __init__(self, session: TunnelSession, ended: Callable[[], None]) -> None:
        """
        :param ended: called when the stream is gone.
        """
        self._session = session
        self._ended = ended
        self._reader = NoticeReader()

    def dataReceived(self, data: bytes) -> None:
        """
        Act on notices; those of streams that are gone come too late and mean nothing.
        """
        for notice in self._reader.receive_data(data):
            stream = self._session.find(notice.stream)
            if stream is None:
                continue
            if notice.type is NoticeType.RETIRE:
                _retire(stream)
            else:
                stream.abort_because(_REFUSED)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        There will be no more.
        """
        self._ended()


def _retire(stream: TunnelStream) -> None:
    user: object = stream.protocol
    if isinstance(user, Opening):
        user = user.client
    if isinstance(user, HTTPClientProtocol):
        user.retire()
