"""
The service at the agents' ends: it sends bodies back while they come.
"""

from __future__ import annotations

from collections.abc import Sequence

from twisted.internet.interfaces import IReactorTime

from pico.net.deadlines import Deadlines
from pico.net.http.answers import Answer, error_answer
from pico.net.http.gateway import Application, Exchanger
from pico.net.http.server import HTTPServerProtocol, Pause, ServerSettings
from pico.tunnel.stream import TunnelStream
from pico.wire.http1.events import Framing, RequestHead
from pico.wire.http1.headers import Header, HeaderCache


class EchoService(Application):
    """
    Answer every request with its own body.
    """

    def __init__(self, clock: IReactorTime) -> None:
        self._cache = HeaderCache(size=256)
        self._deadlines = Deadlines(clock)
        # The node closes streams that are of no use any more.
        self._settings = ServerSettings(head_timeout=0, idle_timeout=0)

    def serve(self, stream: TunnelStream) -> None:
        """
        Take a stream that the node has opened.
        """
        stream.attach(
            HTTPServerProtocol(
                self, cache=self._cache, settings=self._settings, deadlines=self._deadlines, peer_host="node"
            )
        )

    # Application

    def connection_made(self, server: HTTPServerProtocol) -> None:
        """
        Nothing is kept of a stream.
        """

    def connection_lost(self, server: HTTPServerProtocol) -> None:
        """
        Nothing is kept of a stream.
        """

    def request_received(self, server: HTTPServerProtocol, head: RequestHead) -> Exchanger | None:
        """
        Begin to answer.
        """
        length = None if head.framing is Framing.CHUNKED else head.content_length
        server.send_head(200, b"OK", [b"Content-Type: application/octet-stream"], length=length)
        return _Echo(server)

    def request_malformed(self, server: HTTPServerProtocol, status: int, reason: str) -> Answer:
        """
        Answer bytes that are not a request.
        """
        return error_answer(status, reason)


class _Echo:
    """
    One request.
    """

    def __init__(self, server: HTTPServerProtocol) -> None:
        self._server = server

    def body_received(self, data: bytes) -> None:
        self._server.send_data(data)

    def body_ended(self, trailers: Sequence[Header]) -> None:
        self._server.send_end()

    def flush_request(self) -> None:
        """
        Everything goes out with the batch that it came in.
        """

    def client_failed(self, status: int, reason: str) -> None:
        self._server.abort()

    def client_lost(self) -> None:
        """
        There is nobody to answer.
        """

    def client_half_closed(self) -> None:
        """
        It may still read.
        """

    def pause_response(self) -> None:
        self._server.pause_reading(Pause.EXCHANGE)

    def resume_response(self) -> None:
        self._server.resume_reading(Pause.EXCHANGE)

    def timed_out(self) -> None:
        """
        Nothing has a limit here; the client has one.
        """
