"""
The access log: a line for every exchange that is over, and for what was refused before it could become one.

Nothing of it is made if its level is not written. Its events do not go through a :class:`twisted.logger.Logger`, which
would cost more than all the rest, but to the same publisher. They hold the exchange, and become a record when somebody
makes a line of them, because that is cheaper for many at once (see :mod:`pico.log.observer`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final, cast

import attrs
from twisted.logger import ILogObserver, LogEvent, LogLevel, globalLogPublisher

from pico.log.escape import cut, text_of
from pico.log.levels import Threshold
from pico.log.lines import RECORD
from pico.log.records import AccessRecord
from pico.log.redaction import Names, Redaction
from pico.log.text import COMPLETE, request_text
from pico.net.http.exchange import Exchange
from pico.wire.http1.headers import Header
from pico.wire.value import Value

#: Characters of a path and of a header's value that are written, of a method, and header lines of one message.
MAX_PATH: Final = 2048
MAX_VALUE: Final = 512
MAX_METHOD: Final = 32
MAX_HEADERS: Final = 64

#: Bytes of a header's value that are looked at. A secret is hidden before the value is cut, so that no end of one that
#: was recognised by what follows is left.
_LOOK: Final = 8192


class HeaderChoice:
    """
    Which headers are written: those that are allowed, or all but those that are blocked; without a word about it none.
    """

    def __init__(self, allowed: Collection[str] = (), blocked: Collection[str] = ()) -> None:
        """
        :param allowed: names, with ``*`` for anything. At most one of the two has any.
        """
        self._allowed = Names(allowed)
        self._blocked = Names(blocked)

    def __bool__(self) -> bool:
        """
        Whether any header is written.
        """
        return bool(self._allowed) or bool(self._blocked)

    def __contains__(self, name: str) -> bool:
        return name in self._allowed if self._allowed else bool(self._blocked) and name not in self._blocked


@attrs.frozen
class AccessLogSettings:
    """
    What is written.

    :ivar level: of the lines; a status of 500 and more is a warning at least.
    :ivar threshold: what of it the process's log writes.
    :ivar redaction: hides secrets in paths and headers.
    """

    redaction: Redaction
    enabled: bool = True
    level: str = "info"
    threshold: Threshold = attrs.Factory(Threshold)
    request_headers: HeaderChoice = attrs.Factory(HeaderChoice)
    response_headers: HeaderChoice = attrs.Factory(HeaderChoice)


class Parties(Value):
    """
    Who took part in an exchange; see :class:`pico.log.records.AccessRecord`.
    """

    __match_args__ = ("client", "endpoint", "tunnel", "service", "node")
    __slots__ = __match_args__

    def __init__(self, client: str, endpoint: str = "", tunnel: str = "", service: str = "", node: str = "") -> None:
        self.client = client
        self.endpoint = endpoint
        self.tunnel = tunnel
        self.service = service
        self.node = node


class AccessLog:
    """
    Write about exchanges.

    :ivar on: whether anything may be written, so that it is worth to take times for it.
    """

    def __init__(self, settings: AccessLogSettings, subsystem: str, publish: ILogObserver = globalLogPublisher) -> None:
        self._settings = settings
        self._subsystem = subsystem
        self._publish = publish
        self._any_headers = bool(settings.request_headers) or bool(settings.response_headers)
        raised = settings.level if settings.level not in ("debug", "info") else "warn"
        self._usual = self._level(settings.level)
        self._failed = self._level(raised)
        self.on = self._usual is not None or self._failed is not None

    def wants(self, status: int) -> bool:
        """
        Whether a request that ended with a status is written about.
        """
        return (self._failed if status >= 500 else self._usual) is not None

    def write(self, exchange: Exchange, now: float, parties: Callable[[Exchange], Parties]) -> None:
        """
        Write about an exchange that is over. To be called if :meth:`wants`.

        :param now: seconds on the clock that ``exchange.started`` is of.
        :param parties: is asked when the line is made, perhaps a moment later.
        """
        level = self._failed if exchange.status >= 500 else self._usual
        if level is not None:
            self._publish(
                {
                    "log_level": level,
                    "log_namespace": self._subsystem,
                    "log_time": time.time(),
                    "log_format": "{log_record}",
                    RECORD: _Ended(self, exchange, now, parties),
                }
            )

    def write_refused(self, parties: Parties, status: int, reason: str) -> None:
        """
        Write about bytes that were refused before they were a request, of which nothing is written. To be called if
        :meth:`wants`. Such lines cost a stranger next to nothing, so they are folded as all that is said again and
        again.

        :param reason: one of few texts.
        """
        level = self._failed if status >= 500 else self._usual
        if level is not None:
            # In the columns of a request's line.
            who = "{endpoint} {client}" if parties.endpoint else "- {client}"
            event: LogEvent = {
                "log_level": level,
                "log_namespace": self._subsystem,
                "log_time": time.time(),
                "log_format": f"- - {{status}} {who} ({{reason}})",
                "status": status,
                "reason": reason,
                "client": "-",
            }
            told = {name: getattr(parties, name) for name in Parties.__match_args__}
            event.update({name: value for name, value in told.items() if value})
            self._publish(event)

    def record(self, exchange: Exchange, now: float, parties: Parties) -> AccessRecord:
        """
        Make the record of an exchange; see :meth:`write`.
        """
        settings = self._settings
        head = exchange.head
        response = exchange.response
        failure = exchange.failure
        return AccessRecord(
            client=parties.client,
            method=_method_of(exchange),
            path=self._path(exchange),
            status=exchange.status,
            endpoint=parties.endpoint,
            tunnel=parties.tunnel,
            service=parties.service,
            node=parties.node,
            request_bytes=exchange.bytes_in,
            response_bytes=exchange.bytes_out,
            head_seconds=round(exchange.responded - exchange.started, 6) if exchange.responded else None,
            seconds=round(now - exchange.started, 6),
            retries=max(0, exchange.sends - 1),
            ended=COMPLETE if failure is None else failure.value,
            request_id=exchange.request_id.decode("ascii"),
            request_headers=self._headers(head.headers, settings.request_headers) if self._any_headers else None,
            response_headers=(
                self._headers(response.headers, settings.response_headers)
                if self._any_headers and response is not None
                else None
            ),
        )

    def text(self, exchange: Exchange, now: float, parties: Parties) -> str:
        """
        Make the text of an exchange, which is that of its record; see :meth:`write`.
        """
        if self._any_headers:
            return str(self.record(exchange, now, parties))
        failure = exchange.failure
        return request_text(
            _method_of(exchange),
            self._path(exchange),
            exchange.status,
            parties.endpoint,
            parties.client,
            now - exchange.started,
            exchange.bytes_out,
            max(0, exchange.sends - 1),
            COMPLETE if failure is None else failure.value,
            exchange.request_id.decode("ascii"),
            None,
            None,
        )

    def _path(self, exchange: Exchange) -> str:
        return cut(self._settings.redaction.text(text_of(exchange.head.path)), MAX_PATH)

    def _headers(self, headers: Sequence[Header], choice: HeaderChoice) -> Mapping[str, list[str]] | None:
        if not choice:
            return None
        written: dict[str, list[str]] = {}
        for header in headers[:MAX_HEADERS]:
            name = header.name.decode("ascii")
            if name in choice:
                value = self._settings.redaction.header(name, text_of(header.value[:_LOOK]))
                written.setdefault(name, []).append(cut(value, MAX_VALUE))
        return written

    def _level(self, level: str) -> LogLevel | None:
        settings = self._settings
        if settings.enabled and settings.threshold.passes(level, self._subsystem):
            return cast(LogLevel, LogLevel.levelWithName(level))
        return None


class _Ended:
    """
    An exchange that is over, of which a record can be made.
    """

    __slots__ = ("_exchange", "_log", "_now", "_parties")

    def __init__(self, log: AccessLog, exchange: Exchange, now: float, parties: Callable[[Exchange], Parties]) -> None:
        self._log = log
        self._exchange = exchange
        self._now = now
        self._parties = parties

    def record(self) -> AccessRecord:
        return self._log.record(self._exchange, self._now, self._parties(self._exchange))

    def __str__(self) -> str:
        return self._log.text(self._exchange, self._now, self._parties(self._exchange))


def _method_of(exchange: Exchange) -> str:
    return cut(exchange.head.method.decode("ascii"), MAX_METHOD)
