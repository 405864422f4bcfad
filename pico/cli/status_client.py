"""
Asking an admin port.
"""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from urllib.parse import quote, urlencode, urlsplit

import attrs

from pico.config.units import format_duration
from pico.errors import PicoError

#: Bytes of an answer that are read; the longest one that a node gives is far from it.
MAX_ANSWER = 64 * 1024 * 1024

#: Characters of a node's own words that are shown.
_MAX_SHOWN = 300

_IS_IT = "is this the admin port of a node?"


@attrs.frozen
class AdminURL:
    """
    Where an admin port is.

    :ivar path: put before each route; without a slash at its end.
    """

    secure: bool
    host: str
    port: int | None
    path: str

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = f":{self.port}" if self.port is not None else ""
        return f"{'https' if self.secure else 'http'}://{host}{port}{self.path}"


def parse_admin_url(text: str) -> AdminURL:
    """
    Read ``http://localhost:8002``, ``localhost:8002``, ``https://host/path``.

    :raises ValueError: with what would be right.
    """
    try:
        parts = urlsplit(text if "://" in text else f"http://{text}")
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise ValueError(f"{error}; write for example http://localhost:8002") from None
    if parts.scheme not in ("http", "https") or not host:
        raise ValueError(f"{text!r} is not the URL of an admin port; write for example http://localhost:8002")
    if parts.username is not None or parts.query or parts.fragment:
        raise ValueError("only scheme, host, port and path may be given, as in http://localhost:8002")
    if not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError(f"{text!r} holds characters that must be encoded")
    return AdminURL(parts.scheme == "https", host, port, parts.path.rstrip("/"))


def route(*names: str, **arguments: object) -> str:
    """
    Write a path from names, which may hold anything, with a query of those arguments that are not ``None``.
    """
    path = "".join("/" + quote(name, safe="") for name in names)
    query = urlencode({name: str(value) for name, value in arguments.items() if value is not None})
    return f"{path}?{query}" if query else path


@attrs.frozen
class Reply:
    """
    What a node has answered.

    :ivar now: its time of day, seconds since the epoch; ``None`` if it does not say.
    """

    value: object
    now: float | None = None


def fetch(url: AdminURL, path: str, timeout: float, method: str = "GET") -> Reply:
    """
    Get JSON from an admin port.

    :param timeout: seconds for connecting, and for each piece of the answer.
    :raises PicoError: when there is none to be had, with the reason and what to do about it.
    """
    make = http.client.HTTPSConnection if url.secure else http.client.HTTPConnection
    connection = make(url.host, url.port, timeout=timeout)
    try:
        connection.request(method, url.path + path, headers={"Accept": "application/json", "Connection": "close"})
        with connection.getresponse() as response:
            body = response.read(MAX_ANSWER + 1)
            if response.length and len(body) <= MAX_ANSWER:
                # Only reading without a limit would have noticed.
                raise http.client.IncompleteRead(body, response.length)
    except (OSError, http.client.HTTPException) as error:
        raise PicoError(
            f"cannot ask {url}: {_reason(error, timeout)}; is a node running there, and is this its admin port? "
            "--server.url names another one"
        ) from None
    finally:
        connection.close()
    if len(body) > MAX_ANSWER:
        raise PicoError(f"{url}{path}: the answer is larger than {MAX_ANSWER} bytes; {_IS_IT}")
    value = _parse(body)
    if response.status != 200:
        raise PicoError(_refusal(f"{url}{path}", response.status, value))
    if value is _NOTHING:
        raise PicoError(f"{url}{path}: the answer is not JSON; {_IS_IT}")
    return Reply(value, _date(response.getheader("Date", "")))


_NOTHING = object()


def _parse(body: bytes) -> object:
    try:
        value: object = json.loads(body)
    except (ValueError, RecursionError):
        return _NOTHING
    return value


def _reason(error: Exception, timeout: float) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {format_duration(timeout)}"
    if isinstance(error, OSError):
        return str(error.strerror or error).lower()
    if isinstance(error, http.client.IncompleteRead):
        return "the answer broke off"
    return "what answers there does not speak HTTP"


def _refusal(where: str, status: int, value: object) -> str:
    """
    The text for a status that is not 200: the node's own words, if it has some.
    """
    error = value.get("error") if isinstance(value, Mapping) else None
    detail = value.get("detail") if isinstance(value, Mapping) else None
    text = printable(": ".join(each[:_MAX_SHOWN] for each in (error, detail) if isinstance(each, str)))
    if status in (403, 404, 409, 502, 503, 504) and isinstance(detail, str):
        # An admin port that knows what it is talking about.
        return f"{where}: {text}"
    return f"{where}: status {status}{f' ({text})' if text else ''}; {_IS_IT}"


def _date(text: str) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None


def printable(text: str) -> str:
    """
    A text from outside as it may go to a terminal.
    """
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)
