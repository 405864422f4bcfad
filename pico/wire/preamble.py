"""
How a stream between two nodes begins: what it is for, and what the other node says to that.

The node that opens a stream sends a preamble and whatever follows at once. The other node sends an answer before
anything else. Numbers are big-endian, texts UTF-8::

    preamble   0     1         2 3      4      5       6
               0x50  version   length   kind   flags   fields
                               of all
                               behind it
    fields     tenant, endpoint, client, request id: each with its length in front (2 bytes)
               failed: how many (1 byte), then 4 bytes each
               what stands behind that is of a later version, and skipped

    answer     0         1 2 3 4
               verdict   tunnel

Both are the same for streams of every kind; see ``docs/cluster.md``.
"""

from __future__ import annotations

import enum
import struct

import attrs

from pico.errors import LocalProtocolError
from pico.names import EndpointKey, TenantId

#: A preamble's first byte.
MAGIC = 0x50
VERSION = 1

#: Magic, version, length of what follows.
_HEADER = struct.Struct("!BBH")
#: Kind, flags.
_FACTS = struct.Struct("!BB")
_LENGTH = struct.Struct("!H")
#: How many failed tunnels follow; each is 4 bytes.
_COUNT = struct.Struct("!B")
_ANSWER = struct.Struct("!BI")

#: Bytes of a tenant, and of an endpoint: 255 characters of any script.
MAX_NAME = 1020
#: Bytes of a client's address.
MAX_CLIENT = 64
#: Bytes of a request id.
MAX_REQUEST_ID = 128
#: Tunnels that may be named as failed.
MAX_FAILED = 8

#: Bytes behind the header that are read at most; later versions may use what ours leave.
MAX_LENGTH = 4096

#: Bytes of an answer.
ANSWER_SIZE = _ANSWER.size


class Kind(enum.IntEnum):
    """
    What a stream carries.
    """

    #: HTTP/1.1 requests, one after the other; a request may turn it into something else.
    HTTP = 1
    #: Bytes of any protocol.
    TCP = 2


_KINDS = {kind.value: kind for kind in Kind}


class Verdict(enum.IntEnum):
    """
    What became of a stream.

    After anything but ``ACCEPTED`` nothing of what was sent behind the preamble has been looked at, so that it may be
    sent elsewhere.
    """

    #: The stream is joined to one of a tunnel.
    ACCEPTED = 0
    #: No tunnel here serves the endpoint (any more).
    NO_ENDPOINT = 1
    #: The node is leaving and takes nothing new.
    DRAINING = 2
    #: The endpoint's tunnels carry as many streams as they may.
    OVERLOADED = 3
    #: The preamble cannot be understood.
    BAD_PREAMBLE = 4
    #: The node does not serve this tenant.
    UNAUTHORISED = 5
    #: The stream could not be opened for another reason, or one that a later version knows.
    FAILED = 6


_VERDICTS = {verdict.value: verdict for verdict in Verdict}


@attrs.frozen
class Preamble:
    """
    What a stream is for.

    A stream of HTTP may carry many requests; client and request id are those of the first one.

    :ivar client: the address of whom the node speaks for; empty when it is not known.
    :ivar failed: tunnels of the endpoint, by the numbers of earlier answers, that could not reach their service a
        moment ago: others are to be preferred.
    """

    key: EndpointKey
    kind: Kind = Kind.HTTP
    client: str = ""
    request_id: bytes = b""
    failed: tuple[int, ...] = ()


@attrs.frozen
class Malformed:
    """
    What came is no preamble. To be answered with ``BAD_PREAMBLE``.
    """

    reason: str


@attrs.frozen
class Answer:
    """
    What the other node says.

    :ivar tunnel: the number by which the other node knows the tunnel; 0 if it did not accept.
    """

    verdict: Verdict
    tunnel: int = 0


def encode_preamble(preamble: Preamble) -> bytes:
    """
    The bytes of a preamble.

    :raises LocalProtocolError: a field is longer than it may be.
    """
    key = preamble.key
    fields = _FACTS.pack(preamble.kind, 0)
    for name, value, limit in (
        ("tenant", key.tenant.encode(), MAX_NAME),
        ("endpoint", key.endpoint.encode(), MAX_NAME),
        ("client", preamble.client.encode(), MAX_CLIENT),
        ("request id", preamble.request_id, MAX_REQUEST_ID),
    ):
        if len(value) > limit:
            raise LocalProtocolError(f"the {name} is longer than {limit} bytes")
        fields += _LENGTH.pack(len(value)) + value
    if len(preamble.failed) > MAX_FAILED:
        raise LocalProtocolError(f"more than {MAX_FAILED} failed tunnels")
    fields += _COUNT.pack(len(preamble.failed)) + struct.pack(f"!{len(preamble.failed)}I", *preamble.failed)
    return _HEADER.pack(MAGIC, VERSION, len(fields)) + fields


def encode_answer(answer: Answer) -> bytes:
    """
    The bytes of an answer.
    """
    return _ANSWER.pack(answer.verdict, answer.tunnel)


class PreambleReader:
    """
    Reads one preamble from bytes that are cut anywhere.
    """

    __slots__ = ("_outcome", "_received")

    def __init__(self) -> None:
        self._received = b""
        self._outcome: Preamble | Malformed | None = None

    def receive_data(self, data: bytes) -> Preamble | Malformed | None:
        """
        Take bytes.

        :return: the outcome once there is one. Bytes given later are kept behind it.
        """
        self._received += data
        if self._outcome is None:
            self._outcome = self._judge()
        return self._outcome

    def take_leftover(self) -> bytes:
        """
        What came behind the preamble.
        """
        leftover, self._received = self._received, b""
        return leftover

    def _judge(self) -> Preamble | Malformed | None:
        received = self._received
        # What cannot become a preamble is not waited for.
        if received and received[0] != MAGIC:
            return Malformed("no preamble")
        if len(received) > 1 and received[1] != VERSION:
            return Malformed(f"version {received[1]} of the preamble is not known")
        if len(received) < _HEADER.size:
            return None
        _, _, length = _HEADER.unpack_from(received)
        if length > MAX_LENGTH:
            return Malformed(f"a preamble of {length} bytes is too long")
        end = _HEADER.size + length
        if len(received) < end:
            return None
        self._received = received[end:]
        return _decode(received[_HEADER.size : end])


class AnswerReader:
    """
    Reads one answer from bytes that are cut anywhere.
    """

    __slots__ = ("_received",)

    def __init__(self) -> None:
        self._received = b""

    def receive_data(self, data: bytes) -> Answer | None:
        """
        Take bytes.

        :return: the answer, once it is whole; to be called no more after that.
        """
        received = self._received + data if self._received else data
        self._received = received
        if len(received) < ANSWER_SIZE:
            return None
        verdict, tunnel = _ANSWER.unpack_from(received)
        self._received = received[ANSWER_SIZE:]
        return Answer(_VERDICTS.get(verdict, Verdict.FAILED), tunnel)

    def take_leftover(self) -> bytes:
        """
        What came behind the answer.
        """
        leftover, self._received = self._received, b""
        return leftover


def _decode(fields: bytes) -> Preamble | Malformed:
    """
    Read what stands behind a preamble's header.
    """
    try:
        number, _ = _FACTS.unpack_from(fields)
        kind = _KINDS.get(number)
        if kind is None:
            return Malformed(f"kind {number} is not known")
        pos = _FACTS.size
        values = []
        for limit in (MAX_NAME, MAX_NAME, MAX_CLIENT, MAX_REQUEST_ID):
            (length,) = _LENGTH.unpack_from(fields, pos)
            pos += _LENGTH.size + length
            if length > limit:
                return Malformed("a field is too long")
            if pos > len(fields):
                return Malformed("a field is cut off")
            values.append(fields[pos - length : pos])
        (count,) = _COUNT.unpack_from(fields, pos)
        if count > MAX_FAILED:
            return Malformed("too many failed tunnels")
        failed = struct.unpack_from(f"!{count}I", fields, pos + _COUNT.size)
        tenant, endpoint, client, request_id = values
        key = EndpointKey(TenantId(tenant.decode()), endpoint.decode())
        return Preamble(key, kind, client.decode(), request_id, failed)
    except UnicodeDecodeError:
        return Malformed("a field is not UTF-8")
    except struct.error:
        return Malformed("a field is missing")
