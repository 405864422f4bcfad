"""
The small HTTP sites that operators and their programs ask: health, metrics, status.

This is ``twisted.web`` with its manners changed: answers are JSON, also those to unknown paths and
methods; HEAD works everywhere; the program does not name itself; bodies of requests are thrown away;
a whole request has to arrive in time, however slowly a client drips it; and there are not more connections
than a site is meant for.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from difflib import get_close_matches
from io import BytesIO
from typing import cast

import attrs
import msgspec
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime, ITCPTransport
from twisted.logger import Logger
from twisted.protocols.basic import LineReceiver
from twisted.web import http, server
from twisted.web.resource import IResource, Resource

from pico.net.background import background
from pico.net.negotiate import prefers_open_metrics, takes_gzip

_JSON = b"application/json"

#: Bodies from this size on are compressed for those who say that they take that.
GZIP_SIZE = 1024

#: Connections of one site, if its owner does not say otherwise.
MAX_CONNECTIONS = 256


@attrs.frozen
class Question:
    """
    What a page may depend on.

    :ivar accept: the Accept header; empty without.
    :ivar arguments: of the query; of one that comes twice the first.
    :ivar target: path and query, as they were asked for.
    :ivar header: gives any header by its name in lower case; empty without.
    :ivar peer: the address that asks.
    """

    accept: str = ""
    arguments: Mapping[str, str] = attrs.field(factory=dict)
    target: bytes = b""
    header: Callable[[str], str] = lambda name: ""
    method: str = "GET"
    peer: str = ""


@attrs.frozen
class Page:
    """
    What a resource answers.
    """

    body: bytes
    content_type: bytes = _JSON
    status: int = http.OK


#: Passes questions on that others are to answer; ``None`` for one that is to be answered here. It is asked before
#: anything else, whether there is such a path or not.
Elsewhere = Callable[[Question], Deferred[Page] | Page | None]


def json_page(value: object, status: int = http.OK) -> Page:
    """
    Make the page of anything that msgspec can encode.
    """
    return Page(msgspec.json.encode(value) + b"\n", status=status)


def error_page(status: int, error: str, detail: str = "") -> Page:
    """
    Make the one form in which errors are reported.

    :param error: what is wrong, in the fixed words that programs may compare.
    :param detail: what to do about it, for people; left out when empty.
    """
    return json_page({"error": error, "detail": detail} if detail else {"error": error}, status)


def timestamp(moment: float) -> str:
    """
    Write a time of day as RFC 3339 has it, in UTC, to the second.
    """
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class PageResource(Resource):
    """
    A resource that answers GET and HEAD with what a function makes.

    A function that raises is logged, and answered with 500.
    """

    _log = Logger()
    _methods: Sequence[bytes] = (b"GET", b"HEAD")

    def __init__(self, make: Callable[[Question], Page]) -> None:
        Resource.__init__(self)
        self._make = make

    def getChild(self, path: bytes, request: server.Request) -> Resource:
        """
        There is nothing below but what was put there.
        """
        return _Unknown()

    def render(self, request: server.Request) -> bytes:
        """
        Answer one request.
        """
        if request.method not in self._methods:
            request.setHeader(b"Allow", b", ".join(self._methods))
            page = self._not_allowed()
        else:
            page = self._page(request)
        return _respond(request, page)

    def _not_allowed(self) -> Page:
        return error_page(http.NOT_ALLOWED, "method not allowed", "there is only something to read here: use GET")

    def _page(self, request: server.Request) -> Page:
        try:
            return self._make(_question(request))
        except Exception:
            self._log.failure("a page could not be made")
            return error_page(http.INTERNAL_SERVER_ERROR, "internal error")


class OrderResource(PageResource):
    """
    A resource that does something when it is asked to with POST, and answers what a function makes of that.
    """

    _methods = (b"POST",)

    def _not_allowed(self) -> Page:
        return error_page(http.NOT_ALLOWED, "method not allowed", "this changes something: use POST")


class _ElsewhereResource(Resource):
    """
    What answers a question here, unless somebody else does.
    """

    isLeaf = True

    def __init__(self, here: IResource, elsewhere: Elsewhere) -> None:
        Resource.__init__(self)
        self._here = here
        self._elsewhere = elsewhere

    def render(self, request: server.Request) -> bytes | int:
        """
        Answer one request, or let it be answered.
        """
        found = self._elsewhere(_question(request)) if request.method in (b"GET", b"HEAD", b"POST") else None
        if isinstance(found, Page):
            return _respond(request, found)
        if found is None:
            answer: bytes | int = self._here.render(request)
            return answer
        # Who goes away does not wait any more.
        request.notifyFinish().addErrback(lambda _: found.cancel())

        def answered(page: Page) -> None:
            body = _respond(request, page)
            if request.method != b"HEAD":
                request.setHeader(b"Content-Length", b"%d" % len(body))
            request.write(body)
            request.finish()

        background(found.addCallback(answered), PageResource._log, "asking elsewhere")
        return server.NOT_DONE_YET


class JSONResource(PageResource):
    """
    Whatever ``get`` returns at the moment, as JSON.
    """

    def __init__(self, get: Callable[[], object]) -> None:
        PageResource.__init__(self, lambda question: json_page(get()))


class FolderResource(PageResource):
    """
    A page, and one below it for each name that there is.
    """

    def __init__(self, make: Callable[[Question], Page], make_below: Callable[[str, Question], Page]) -> None:
        """
        :param make_below: gets the last part of the path; answers 404 to what is not there.
        """
        PageResource.__init__(self, make)
        self._make_below = make_below

    def getChild(self, path: bytes, request: server.Request) -> Resource:
        """
        Find what has a name.
        """
        if not path:
            return _Unknown()
        name = path.decode("utf-8", "replace")
        return PageResource(lambda question: self._make_below(name, question))


class HealthResource(JSONResource):
    """
    200 as long as the program can answer at all.
    """

    def __init__(self) -> None:
        JSONResource.__init__(self, lambda: {"status": "ok"})


class ReadyResource(PageResource):
    """
    200 while ``is_ready`` says so, else 503.

    :param details: what else there is to say, by name.
    """

    def __init__(self, is_ready: Callable[[], bool], details: Callable[[], Mapping[str, object]] = dict) -> None:
        def page(question: Question) -> Page:
            if is_ready():
                return json_page({"status": "ready", **details()})
            return json_page({"status": "not ready", **details()}, http.SERVICE_UNAVAILABLE)

        PageResource.__init__(self, page)


class MetricsResource(PageResource):
    """
    Metrics in the format that the Accept header asks for.

    :param render: is told whether that is OpenMetrics, and returns the body and its content type.
    """

    def __init__(self, render: Callable[[bool], tuple[bytes, bytes]]) -> None:
        PageResource.__init__(self, lambda question: Page(*render(prefers_open_metrics(question.accept))))


def make_site(
    resources: Mapping[str, IResource],
    *,
    timeout: float = 30.0,
    max_connections: int = MAX_CONNECTIONS,
    clock: IReactorTime | None = None,
    elsewhere: Elsewhere | None = None,
) -> server.Site:
    """
    Make the factory of a site's connections.

    :param resources: by absolute path.
    :param timeout: seconds in which a request must have arrived in full, counted from the connection or the
        response before it; also how long a client may take over reading its answer once it stops.
    :param max_connections: at a time; more are closed at once.
    :param clock: ``None`` takes the global reactor.
    :param elsewhere: asks others; nobody does when not given.
    """
    root = _Unknown()
    for path, resource in resources.items():
        *parents, name = path.strip("/").encode("ascii").split(b"/")
        folder: Resource = root
        for parent in parents:
            if parent not in folder.children:
                folder.putChild(parent, _Unknown())
            folder = folder.children[parent]
        folder.putChild(name, resource)
    return _Site(root, list(resources), timeout, max_connections, clock, elsewhere)


class _Unknown(PageResource):
    """
    What does not exist.
    """

    def __init__(self) -> None:
        PageResource.__init__(self, lambda question: error_page(http.NOT_FOUND, "not found"))

    def _page(self, request: server.Request) -> Page:
        site = request.site
        paths = site.paths if isinstance(site, _Site) else []
        return error_page(http.NOT_FOUND, "not found", _hint(request.path.decode("latin-1"), paths))


def _hint(path: str, paths: Sequence[str]) -> str:
    """
    What may have been meant by a path that does not exist.
    """
    near = get_close_matches(path, paths, n=1)
    if near:
        return f"did you mean {near[0]}?"
    return f"there are {', '.join(paths)}"


def _respond(request: server.Request, page: Page) -> bytes:
    """
    Set an answer's head.

    :return: the body that is to be written.
    """
    body = page.body
    request.setResponseCode(page.status)
    request.setHeader(b"Content-Type", page.content_type)
    request.setHeader(b"X-Content-Type-Options", b"nosniff")
    request.setHeader(b"Cache-Control", b"no-store")
    if len(body) >= GZIP_SIZE and takes_gzip(request.getHeader("Accept-Encoding") or ""):
        # The lowest level: text like this shrinks to a tenth, and the others wait meanwhile.
        body = gzip.compress(body, 1, mtime=0)
        request.setHeader(b"Content-Encoding", b"gzip")
    if request.method == b"HEAD":
        request.setHeader(b"Content-Length", b"%d" % len(body))
        return b""
    return body


def _question(request: server.Request) -> Question:
    arguments = {
        name.decode("utf-8", "replace"): values[0].decode("utf-8", "replace")
        for name, values in (request.args or {}).items()
    }
    return Question(
        request.getHeader("Accept") or "",
        arguments,
        request.uri,
        lambda name: request.getHeader(name) or "",
        request.method.decode("latin-1"),
        str(getattr(request.getClientAddress(), "host", "")),
    )


class _Channel(http.HTTPChannel):
    def dataReceived(self, data: bytes) -> None:
        # The stock channel starts its timeout anew with every byte.
        LineReceiver.dataReceived(self, data)

    def connectionMade(self) -> None:
        http.HTTPChannel.connectionMade(self)
        site = self.factory
        site.channels.add(self)
        if len(site.channels) > site.max_connections:
            cast(ITCPTransport, self.transport).abortConnection()

    def connectionLost(self, reason: object = None) -> None:
        http.HTTPChannel.connectionLost(self, reason)
        self.factory.channels.discard(self)


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

    def __init__(
        self,
        root: Resource,
        paths: list[str],
        timeout: float,
        max_connections: int,
        clock: IReactorTime | None,
        elsewhere: Elsewhere | None,
    ) -> None:
        server.Site.__init__(self, root, _Request, timeout=timeout, reactor=clock, parsePOSTFormSubmission=False)
        self.paths = paths
        self.channels: set[_Channel] = set()
        self.max_connections = max_connections
        self._elsewhere = elsewhere

    def getResourceFor(self, request: server.Request) -> IResource:  # noqa: N802 - Twisted's name
        """
        Find what answers.
        """
        here: IResource = server.Site.getResourceFor(self, request)
        return here if self._elsewhere is None else _ElsewhereResource(here, self._elsewhere)

    def stopFactory(self) -> None:
        """
        The port does not listen any more: close what is connected, once it has its answer.
        """
        for channel in list(self.channels):
            http.HTTPChannel.loseConnection(channel)
        server.Site.stopFactory(self)

    def getContentFile(self, length: int | None) -> BytesIO:  # noqa: N802 - Twisted's name
        """
        Where a request's body goes: nowhere. No resource here has a use for one.
        """
        return _NoBody()

    def log(self, request: http.Request) -> None:
        """
        Write no access log: most requests are probes.
        """
