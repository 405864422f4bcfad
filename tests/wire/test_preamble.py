"""
Tests for :mod:`pico.wire.preamble`.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pico.errors import LocalProtocolError
from pico.names import DEFAULT_TENANT, EndpointKey, TenantId
from pico.wire.preamble import (
    ANSWER_SIZE,
    MAX_CLIENT,
    MAX_FAILED,
    MAX_LENGTH,
    MAX_NAME,
    MAX_REQUEST_ID,
    Answer,
    AnswerReader,
    Kind,
    Malformed,
    Preamble,
    PreambleReader,
    Verdict,
    encode_answer,
    encode_preamble,
)

FULL = Preamble(
    EndpointKey(TenantId("acme"), "büro"),
    Kind.TCP,
    client="2001:db8::7",
    request_id=b"r-1",
    failed=(7, 0xFFFFFFFE),
)

#: Preambles and their bytes.
TABLE: list[tuple[Preamble, bytes]] = [
    (
        Preamble(EndpointKey(DEFAULT_TENANT, "e")),
        b"\x50\x01\x00\x0c\x01\x00\x00\x00\x00\x01e\x00\x00\x00\x00\x00",
    ),
    (
        FULL,
        b"\x50\x01\x00\x2a"
        b"\x02\x00"
        b"\x00\x04acme"
        b"\x00\x05b\xc3\xbcro"
        b"\x00\x0b2001:db8::7"
        b"\x00\x03r-1"
        b"\x02\x00\x00\x00\x07\xff\xff\xff\xfe",
    ),
]


def framed(fields: bytes) -> bytes:
    """
    A header before fields made by hand.
    """
    return struct.pack("!BBH", 0x50, 1, len(fields)) + fields


def field(value: bytes) -> bytes:
    """
    A field with its length.
    """
    return struct.pack("!H", len(value)) + value


#: What a reader must refuse, and what it says.
MALFORMED: list[tuple[bytes, str]] = [
    (b"G", "no preamble"),
    (b"\x00", "no preamble"),
    (b"\x50\x02", "version 2 of the preamble is not known"),
    (b"\x50\x00", "version 0 of the preamble is not known"),
    (b"\x50\x01\x10\x01", "a preamble of 4097 bytes is too long"),
    (framed(b""), "a field is missing"),
    (framed(b"\x01"), "a field is missing"),
    (framed(b"\x01\x00"), "a field is missing"),
    (framed(b"\x01\x00" + field(b"") * 4), "a field is missing"),
    (framed(b"\x01\x00" + field(b"") * 4 + b"\x01\x00\x00\x00"), "a field is missing"),
    (framed(b"\x01\x00" + b"\x00\x05abc"), "a field is cut off"),
    (framed(b"\x00\x00" + field(b"") * 4 + b"\x00"), "kind 0 is not known"),
    (framed(b"\x03\x00" + field(b"") * 4 + b"\x00"), "kind 3 is not known"),
    (framed(b"\x01\x00" + field(b"a" * (MAX_NAME + 1)) + field(b"") * 3 + b"\x00"), "a field is too long"),
    (framed(b"\x01\x00\xff\xff"), "a field is too long"),
    (
        framed(b"\x01\x00" + field(b"") * 2 + field(b"1" * (MAX_CLIENT + 1)) + field(b"") + b"\x00"),
        "a field is too long",
    ),
    (framed(b"\x01\x00" + field(b"") * 3 + field(b"1" * (MAX_REQUEST_ID + 1)) + b"\x00"), "a field is too long"),
    (framed(b"\x01\x00" + field(b"") * 4 + b"\x09" + bytes(36)), "too many failed tunnels"),
    (framed(b"\x01\x00" + field(b"\xff") + field(b"") * 3 + b"\x00"), "a field is not UTF-8"),
    (framed(b"\x01\x00" + field(b"") + field(b"\xc3") + field(b"") * 2 + b"\x00"), "a field is not UTF-8"),
    (framed(b"\x01\x00" + field(b"") * 2 + field(b"\x80") + field(b"") + b"\x00"), "a field is not UTF-8"),
]


def cuts(data: bytes) -> Iterator[list[bytes]]:
    """
    Bytes whole, one by one, and in two at every place.
    """
    yield [data]
    yield [data[i : i + 1] for i in range(len(data))]
    for cut in range(len(data) + 1):
        yield [data[:cut], data[cut:]]


def read(pieces: Iterable[bytes]) -> tuple[Preamble | Malformed | None, bytes]:
    """
    What a new reader makes of pieces, and what it leaves.
    """
    reader = PreambleReader()
    outcome: Preamble | Malformed | None = None
    for piece in pieces:
        outcome = reader.receive_data(piece)
    return outcome, reader.take_leftover()


class PreambleTests(SynchronousTestCase):
    """
    Preambles to bytes and back.
    """

    def test_bytes(self) -> None:
        """
        The bytes of a preamble are these.
        """
        for preamble, data in TABLE:
            self.assertEqual(encode_preamble(preamble), data)

    def test_cut_anywhere(self) -> None:
        """
        It is read wherever it is cut, and what stands behind it is left.
        """
        for preamble, data in TABLE:
            for behind in (b"", b"GET / HTTP/1.1\r\n"):
                for pieces in cuts(data + behind):
                    self.assertEqual(read(pieces), (preamble, behind))

    def test_incomplete(self) -> None:
        """
        Before the last byte there is no outcome.
        """
        for _, data in TABLE:
            for end in range(len(data)):
                self.assertIsNone(read([data[:end]])[0])

    def test_later_version(self) -> None:
        """
        Fields and flags that a later version adds are skipped.
        """
        preamble, data = TABLE[1]
        longer = bytearray(framed(data[4:] + b"more of it"))
        longer[5] = 0xFF
        self.assertEqual(read([bytes(longer) + b"x"]), (preamble, b"x"))

    def test_malformed(self) -> None:
        """
        What is no preamble is refused, wherever it is cut, as soon as that is certain.
        """
        for data, reason in MALFORMED:
            for pieces in cuts(data):
                outcome, _ = read(pieces)
                self.assertEqual(outcome, Malformed(reason), data)

    def test_outcome_stays(self) -> None:
        """
        The outcome is the last one, whatever follows.
        """
        reader = PreambleReader()
        outcome = reader.receive_data(TABLE[0][1])
        self.assertIs(reader.receive_data(TABLE[1][1]), outcome)
        self.assertEqual(reader.take_leftover(), TABLE[1][1])

    def test_longest(self) -> None:
        """
        The longest fields that may be sent fit, and one byte more is refused before it is sent.
        """
        longest = Preamble(
            EndpointKey(TenantId("t" * MAX_NAME), "e" * MAX_NAME),
            client="c" * MAX_CLIENT,
            request_id=b"r" * MAX_REQUEST_ID,
            failed=tuple(range(MAX_FAILED)),
        )
        data = encode_preamble(longest)
        self.assertLess(len(data), MAX_LENGTH)
        self.assertEqual(read([data]), (longest, b""))
        for name, longer in (
            ("tenant", Preamble(EndpointKey(TenantId("t" * (MAX_NAME + 1)), "e"))),
            ("endpoint", Preamble(EndpointKey(DEFAULT_TENANT, "e" * (MAX_NAME + 1)))),
            ("client", Preamble(EndpointKey(DEFAULT_TENANT, "e"), client="c" * (MAX_CLIENT + 1))),
            ("request id", Preamble(EndpointKey(DEFAULT_TENANT, "e"), request_id=b"r" * (MAX_REQUEST_ID + 1))),
            ("failed", Preamble(EndpointKey(DEFAULT_TENANT, "e"), failed=(1,) * (MAX_FAILED + 1))),
        ):
            error = self.assertRaises(LocalProtocolError, encode_preamble, longer)
            self.assertIn(name, str(error))

    @settings(derandomize=True, max_examples=60, deadline=None)
    @given(st.data())
    def test_any(self, data: st.DataObject) -> None:
        """
        Every preamble comes out as it went in.
        """
        text = st.text(max_size=20)
        preamble = Preamble(
            EndpointKey(TenantId(data.draw(text)), data.draw(text)),
            data.draw(st.sampled_from(Kind)),
            data.draw(st.text(max_size=16)),
            data.draw(st.binary(max_size=MAX_REQUEST_ID)),
            tuple(data.draw(st.lists(st.integers(0, 2**32 - 1), max_size=MAX_FAILED))),
        )
        encoded = encode_preamble(preamble)
        at = data.draw(st.integers(0, len(encoded)))
        self.assertEqual(read([encoded[:at], encoded[at:] + b"!"]), (preamble, b"!"))

    @settings(derandomize=True, max_examples=100, deadline=None)
    @given(st.binary(max_size=80), st.booleans(), st.integers(0, 80))
    def test_garbage(self, data: bytes, headed: bool, at: int) -> None:
        """
        Any bytes have one outcome, which does not depend on where they are cut.
        """
        data = framed(data) if headed else data
        self.assertEqual(read([data])[0], read([data[:at], data[at:]])[0])


class AnswerTests(SynchronousTestCase):
    """
    The other node's answer.
    """

    def test_cut_anywhere(self) -> None:
        """
        Every answer is five bytes and read wherever they are cut; what stands behind it is left.
        """
        for verdict in Verdict:
            answer = Answer(verdict, 0x01020304 if verdict is Verdict.ACCEPTED else 0)
            data = encode_answer(answer)
            self.assertEqual(len(data), ANSWER_SIZE)
            for pieces in cuts(data + b"HTTP"):
                reader = AnswerReader()
                found = None
                leftover = b""
                for piece in pieces:
                    if found is None:
                        found = reader.receive_data(piece)
                        leftover = reader.take_leftover() if found is not None else b""
                    else:
                        leftover += piece
                self.assertEqual((found, leftover), (answer, b"HTTP"))

    def test_bytes(self) -> None:
        """
        Verdicts keep their numbers.
        """
        self.assertEqual(encode_answer(Answer(Verdict.ACCEPTED, 258)), b"\x00\x00\x00\x01\x02")
        self.assertEqual([verdict.value for verdict in Verdict], [0, 1, 2, 3, 4, 5, 6])

    def test_later_version(self) -> None:
        """
        A verdict that is not known yet is a refusal.
        """
        for number in range(7, 256):
            answer = AnswerReader().receive_data(bytes((number, 0, 0, 0, 0)))
            self.assertEqual(answer, Answer(Verdict.FAILED))
