"""
Header lines, read once and remembered.

Most lines of most requests have been seen before, byte for byte. They are looked up as a whole; only a new line is
taken apart and checked (RFC 9110 section 5, RFC 9112 section 5).
"""

from __future__ import annotations

import enum
import re
from collections.abc import Callable

import attrs

from pico.errors import RemoteProtocolError


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


_ROLES = {
    b"host": Role.HOST,
    b"content-length": Role.CONTENT_LENGTH,
    b"transfer-encoding": Role.TRANSFER_ENCODING,
    b"connection": Role.CONNECTION,
    b"expect": Role.EXPECT,
    b"upgrade": Role.UPGRADE,
}


@attrs.define
class Header:
    """
    One header line.

    :ivar name: in lower case.
    :ivar value: without the white space around it.
    :ivar line: as it was received, without its CRLF.
    :ivar role: a :class:`Role`.
    :ivar tag: what the application makes of the name, see :class:`HeaderCache`.
    """

    name: bytes
    value: bytes
    line: bytes
    role: int
    tag: int


# token ":" OWS field-value OWS. A field value is visible characters, spaces, tabs and obs-text; folding is not in it.
_LINE = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([^\x00-\x08\x0a-\x1f\x7f]*)")

#: Longer lines are unlikely to come again.
_MAX_KEPT = 256

#: Names whose values are secrets: these lines are not kept.
_SECRET = re.compile(rb"authorization|cookie|token|secret|key|password|credential")


def _no_tag(name: bytes) -> int:
    return 0


class HeaderCache:
    """
    The header lines seen lately, of any number of connections.

    It holds at most twice ``size`` lines of at most 256 bytes: when the younger half is full the older one is dropped.
    Lines that may hold a secret are not kept.
    """

    __slots__ = ("_old", "_size", "_tag_of", "_young")

    def __init__(self, tag_of: Callable[[bytes], int] = _no_tag, size: int = 2048) -> None:
        """
        :param tag_of: gives the application's own class of a header by its name in lower case; 0 is nothing special.
        """
        self._tag_of = tag_of
        self._size = size
        self._young: dict[bytes, Header] = {}
        self._old: dict[bytes, Header] = {}

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
            if len(line) > _MAX_KEPT or _SECRET.search(header.name) is not None:
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
