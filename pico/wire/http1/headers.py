"""
Header lines, read once and remembered.

Most lines of most requests have been seen before, byte for byte. They are looked up as a whole; only a new line is
taken apart and checked (RFC 9110 section 5, RFC 9112 section 5).
"""

from __future__ import annotations

import enum
import re
from collections.abc import Callable
from typing import Final

from pico.errors import RemoteProtocolError
from pico.wire.value import Value


class Role(enum.IntEnum):
    """
    What a header means to the message's framing and the connection.
    """

    ORDINARY = 0
    HOST = 1
    CONTENT_LENGTH = 2
    TRANSFER_ENCODING = 3
    CONNECTION = 4
    EXPECT = 5
    UPGRADE = 6


_ROLES: Final = {
    b"host": Role.HOST,
    b"content-length": Role.CONTENT_LENGTH,
    b"transfer-encoding": Role.TRANSFER_ENCODING,
    b"connection": Role.CONNECTION,
    b"expect": Role.EXPECT,
    b"upgrade": Role.UPGRADE,
}


class Header(Value):
    """
    One header line.

    :ivar name: in lower case.
    :ivar value: without the white space around it.
    :ivar line: as it was received, without its CRLF.
    :ivar role: a :class:`Role`.
    :ivar tag: what the application makes of the name, see :class:`HeaderCache`.
    """

    __match_args__ = ("name", "value", "line", "role", "tag")
    __slots__ = __match_args__

    def __init__(self, name: bytes, value: bytes, line: bytes, role: int, tag: int) -> None:
        self.name = name
        self.value = value
        self.line = line
        self.role = role
        self.tag = tag


# token ":" OWS field-value OWS. A field value is visible characters, spaces, tabs and obs-text; folding is not in it.
_LINE: Final = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([^\x00-\x08\x0a-\x1f\x7f]*)")

_VALUE: Final = re.compile(rb"[^\x00-\x08\x0a-\x1f\x7f]*")

_AUTHORITY: Final = re.compile(rb"(?:\[[0-9A-Fa-f:.]+\]|(?:[A-Za-z0-9\-._~!$&'()*+,;=]|%[0-9A-Fa-f]{2})*)(?::\d{0,5})?")
_TOKEN: Final = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")

#: Longer sections are unlikely to come again.
_MAX_SECTION: Final = 2048

#: Longer lines are unlikely to come again.
_MAX_KEPT: Final = 256

#: Names whose values are secrets, or another one each time: these lines are not kept.
_NOT_KEPT: Final = re.compile(
    rb"authorization|cookie|token|secret|key|password|credential|request-id|correlation-id|traceparent"
)


def _no_tag(name: bytes) -> int:
    return 0


class Fields:
    """
    The header section of a message, and what of it concerns the message itself.

    Sections that come again are the same object, so it is read only, but for what is remembered in ``length_read`` and
    ``note``.

    :ivar host: the value of Host; ``None`` if there is none, or none that a request may have.
    :ivar host_fault: what is wrong with Host; empty if nothing is. It concerns requests alone.
    :ivar length: the value of Content-Length, unchecked.
    :ivar length_read: the number that ``length`` is; -1 until somebody has read it.
    :ivar coding: the value of Transfer-Encoding, unchecked.
    :ivar words: the words of Connection in lower case; ``None`` without that header.
    :ivar note: free for the application: what it has worked out from ``headers``.
    :ivar rest: the section without its first line, if that is one which :class:`HeaderCache` looks at apart. It comes
        again where the whole does not, so that it is the one to put a note on.
    """

    __slots__ = (
        "coding",
        "expect",
        "headers",
        "host",
        "host_fault",
        "length",
        "length_read",
        "note",
        "rest",
        "upgrade",
        "words",
    )

    def __init__(self, headers: list[Header]) -> None:
        """
        :raises RemoteProtocolError: 400, when a header that decides about every message stands there twice.
        """
        self.headers = headers
        self.host: bytes | None = None
        self.host_fault = ""
        self.length: bytes | None = None
        self.length_read = -1
        self.coding: bytes | None = None
        self.words: frozenset[bytes] | None = None
        self.expect: bytes | None = None
        self.upgrade: bytes | None = None
        self.note: object = None
        self.rest: Fields | None = None
        connection: bytes | None = None
        for header in headers:
            role = header.role
            if not role:
                continue
            value = header.value
            if role == Role.HOST:
                if self.host is not None:
                    self.host_fault = "more than one Host header"
                self.host = value
            elif role == Role.CONNECTION:
                connection = value if connection is None else connection + b"," + value
            elif role == Role.CONTENT_LENGTH:
                if self.length is not None:
                    raise RemoteProtocolError(400, "more than one Content-Length")
                self.length = value
            elif role == Role.TRANSFER_ENCODING:
                if self.coding is not None:
                    raise RemoteProtocolError(400, "more than one Transfer-Encoding")
                self.coding = value
            elif role == Role.EXPECT:
                self.expect = value
            else:
                self.upgrade = value if self.upgrade is None else self.upgrade + b", " + value
        if connection is not None:
            self.words = connection_words(connection)
        if self.host is not None and not self.host_fault and _AUTHORITY.fullmatch(self.host) is None:
            self.host_fault = "invalid Host header"
        if self.host_fault:
            self.host = None

    def led_by(self, header: Header) -> Fields:
        """
        The section that begins with another line, one without a role, and goes on with this.
        """
        fields = Fields([])
        fields.headers = [header, *self.headers]
        fields.host = self.host
        fields.host_fault = self.host_fault
        fields.length = self.length
        fields.length_read = self.length_read
        fields.coding = self.coding
        fields.words = self.words
        fields.expect = self.expect
        fields.upgrade = self.upgrade
        fields.rest = self
        return fields


class HeaderCache:
    """
    The header lines, and whole header sections, seen lately, of any number of connections.

    It holds at most twice ``size`` lines of at most 256 bytes, and twice an eighth of ``size`` sections of at most
    2 KiB: when the younger half is full the older one is dropped. Lines that may hold a secret, or what never comes
    again, are not kept, nor sections with such a line.
    """

    __slots__ = (
        "_apart",
        "_apart_name",
        "_apart_tag",
        "_old",
        "_old_sections",
        "_size",
        "_tag_of",
        "_young",
        "_young_sections",
    )

    def __init__(self, tag_of: Callable[[bytes], int] = _no_tag, size: int = 2048, apart: bytes = b"") -> None:
        """
        :param tag_of: gives the application's own class of a header by its name in lower case; 0 is nothing special.
        :param apart: the beginning of a line without a role, up to its colon or a blank behind it, whose value is
            another one each time. Where it begins a section, written just so, the rest is looked up without it.
        """
        self._apart = apart
        self._apart_name = apart.partition(b":")[0].lower()
        self._apart_tag = tag_of(self._apart_name)
        self._tag_of = tag_of
        self._size = size
        self._young: dict[bytes, Header] = {}
        self._old: dict[bytes, Header] = {}
        self._young_sections: dict[bytes, Fields] = {}
        self._old_sections: dict[bytes, Fields] = {}

    def fields(self, section: bytes) -> Fields:
        """
        Read a header section: lines with CRLF between them.

        :raises RemoteProtocolError: 400, for anything but field lines, and for contradictions.
        """
        if self._apart and section.startswith(self._apart):
            line, _, rest = section.partition(b"\r\n")
            value = line[len(self._apart) :].strip(b" \t")
            if not value.isalnum() and _VALUE.fullmatch(value) is None:
                raise RemoteProtocolError(400, _fault(line))
            return self._whole(rest).led_by(Header(self._apart_name, value, line, 0, self._apart_tag))
        return self._whole(section)

    def _whole(self, section: bytes) -> Fields:
        fields = self._young_sections.get(section)
        if fields is not None:
            return fields
        fields = self._old_sections.get(section)
        if fields is None:
            headers = [self.header(line) for line in section.split(b"\r\n")] if section else []
            fields = Fields(headers)
            if len(section) > _MAX_SECTION or any(_NOT_KEPT.search(header.name) for header in headers):
                return fields
        if len(self._young_sections) >= self._size // 8:
            self._old_sections = self._young_sections
            self._young_sections = {}
        self._young_sections[section] = fields
        return fields

    def header(self, line: bytes) -> Header:
        """
        Read one line without its CRLF.

        :raises RemoteProtocolError: 400, for anything but a field line.
        """
        header = self._young.get(line)
        if header is not None:
            return header
        header = self._old.get(line)
        if header is None:
            header = self._parse(line)
            if len(line) > _MAX_KEPT or _NOT_KEPT.search(header.name) is not None:
                return header
        if len(self._young) >= self._size:
            self._old = self._young
            self._young = {}
        self._young[line] = header
        return header

    def _parse(self, line: bytes) -> Header:
        match = _LINE.fullmatch(line)
        if match is None:
            raise RemoteProtocolError(400, _fault(line))
        name = match.group(1).lower()
        value = match.group(2).rstrip(b" \t")
        return Header(name, value, line, int(_ROLES.get(name, 0)), self._tag_of(name))


def _fault(line: bytes) -> str:
    """
    Say what is wrong with a line that is not a field line.
    """
    if line[:1] in (b" ", b"\t"):
        return "folded header line"
    name, colon, _ = line.partition(b":")
    if not colon:
        return "header line without a colon"
    if name.rstrip(b" \t") != name:
        return "white space before the colon of a header"
    if re.fullmatch(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+", name) is None:
        return "invalid header name"
    return "invalid character in a header value"


def connection_words(value: bytes) -> frozenset[bytes]:
    """
    The words of a Connection header, in lower case.

    :raises RemoteProtocolError: 400, for a word that is not a token.
    """
    words = set()
    for word in value.lower().split(b","):
        word = word.strip(b" \t")
        if word:
            if _TOKEN.fullmatch(word) is None:
                raise RemoteProtocolError(400, "malformed Connection header")
            words.add(word)
    return frozenset(words)


def is_authority(value: bytes) -> bool:
    """
    Whether a value is a host with an optional port (RFC 3986 section 3.2, without user information).
    """
    return _AUTHORITY.fullmatch(value) is not None
