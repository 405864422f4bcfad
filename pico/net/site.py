"""
The small HTTP sites that operators and their programs ask: health, metrics, status.

This is ``twisted.web`` with its manners changed: answers are JSON, also those to unknown paths and
methods; HEAD works everywhere; the program does not name itself; bodies of requests are thrown away;
and a whole request has to arrive in time, however slowly a client drips it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from io import BytesIO

import attrs
import msgspec
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.protocols.basic import LineReceiver
from twisted.web import http, server
from twisted.web.resource import IResource, Resource

_JSON = b"application/json"


@attrs.frozen
class Page:
    """
    What a resource answers.
    """

    body: bytes
    content_type: bytes = _JSON
    status: int = http.OK


def json_page(value: object, status: int = http.OK) -> Page:
    """
    Make the page of anything that msgspec can encode.
    """
    return Page(msgspec.json.encode(value) + b"\n", status=status)


class PageResource(Resource):
    """
    A resource that answers GET and HEAD with what a function makes.

    A function that raises is logged, and answered with 500.

    :param make: gets the Accept header of the request.
    """

    _log = Logger()

    def __init__(self, make: Callable[[str], Page]) -> None:
        Resource.__init__(self)
        self._make = make

    def getChild(self, path: bytes, request: server.Request) -> Resource:
        """
        There is nothing below but what was put there.
        """
        return not_found()

    def render(self, request: server.Request) -> bytes:
        """
        Answer one request.
        """
        if request.method not in (b"GET", b"HEAD"):
            request.setHeader(b"Allow", b"GET, HEAD")
            page = json_page({"error": "method not allowed"}, http.NOT_ALLOWED)
        else:
            page = self._page(request.getHeader("Accept") or "")
        request.setResponseCode(page.status)
        request.setHeader(b"Content-Type", page.content_type)
        request.setHeader(b"X-Content-Type-Options", b"nosniff")
        request.setHeader(b"Cache-Control", b"no-store")
        if request.method == b"HEAD":
            request.setHeader(b"Content-Length", b"%d" % len(page.body))
            return b""
        return page.body

    def _page(self, accept: str) -> Page:
        try:
            return self._make(accept)
        except Exception:
            self._log.failure("a page could not be made")
            return json_page({"error": "internal error"}, http.INTERNAL_SERVER_ERROR)


class JSONResource(PageResource):
    """
    Whatever ``get`` returns at the moment, as JSON.
    """

    def __init__(self, get: Callable[[], object]) -> None:
        PageResource.__init__(self, lambda accept: json_page(get()))


class HealthResource(JSONResource):
    """
    200 as long as the program can answer at all.
    """

    def __init__(self) -> None:
        JSONResource.__init__(self, lambda: {"status": "ok"})


class ReadyResource(PageResource):
    """
    200 while ``is_ready`` says so, else 503.
    """

    def __init__(self, is_ready: Callable[[], bool]) -> None:
        def page(accept: str) -> Page:
            if is_ready():
                return json_page({"status": "ready"})
            return json_page({"status": "not ready"}, http.SERVICE_UNAVAILABLE)

        PageResource.__init__(self, page)


class MetricsResource(PageResource):
    """
    Metrics in the format that the Accept header asks for.

    :param render: gets that header and returns the body and its content type.
    """

    def __init__(self, render: Callable[[str], tuple[bytes, bytes]]) -> None:
        PageResource.__init__(self, lambda accept: Page(*render(accept)))


def not_found() -> PageResource:
    """
    Make the resource of a path that does not exist.
    """
    return PageResource(lambda accept: json_page({"error": "not found"}, http.NOT_FOUND))


def make_site(
    resources: Mapping[str, IResource], *, timeout: float = 30.0, clock: IReactorTime | None = None
) -> server.Site:
    """
    Make the factory of a site's connections.

    :param resources: by absolute path.
    :param timeout: seconds in which a request must have arrived in full, counted from the connection or the
        response before it; also how long a client may take over reading its answer once it stops.
    :param clock: ``None`` takes the global reactor.
    """
    root = not_found()
    for path, resource in resources.items():
        *parents, name = path.strip("/").encode("ascii").split(b"/")
        folder: Resource = root
        for parent in parents:
            if parent not in folder.children:
                folder.putChild(parent, not_found())
            folder = folder.children[parent]
        folder.putChild(name, resource)
    return _Site(root, timeout, clock)


class _Channel(http.HTTPChannel):
    def dataReceived(self, data: bytes) -> None:
        # The stock channel starts its timeout anew with every byte.
        LineReceiver.dataReceived(self, data)


class _Request(server.Request):
    def setHeader(self, name: bytes, value: bytes) -> None:  # noqa: N802 - Twisted's name
        if name != b"Server":
            server.Request.setHeader(self, name, value)


class _NoBody(BytesIO):
    """
    Takes the body of a request and forgets it.
    """

    def write(self, data: object, /) -> int:
        return 0


class _Site(server.Site):
    # The stock factory's protocol stands between two versions of HTTP; this site speaks one.
    protocol = _Channel  # type: ignore[assignment]
    noisy = False

    def __init__(self, root: Resource, timeout: float, clock: IReactorTime | None) -> None:
        server.Site.__init__(self, root, _Request, timeout=timeout, reactor=clock, parsePOSTFormSubmission=False)

    def getContentFile(self, length: int | None) -> BytesIO:  # noqa: N802 - Twisted's name
        """
        Where a request's body goes: nowhere. No resource here has a use for one.
        """
        return _NoBody()

    def log(self, request: http.Request) -> None:
        """
        Write no access log: most requests are probes.
        """
