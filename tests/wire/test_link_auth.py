"""
Tests for :mod:`pico.wire.link_auth`.
"""

from __future__ import annotations

import hmac
import struct
from collections.abc import Iterable, Sequence
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pico.errors import LocalProtocolError
from pico.names import NodeId
from pico.wire.link_auth import (
    MAX_BODY,
    MAX_ID,
    MAX_KEYS,
    Agreed,
    Agreement,
    Event,
    Failed,
    Peer,
    Proven,
    Purpose,
    Refusal,
    Role,
    State,
)

A = Peer(NodeId("a"), 11)
B = Peer(NodeId("b"), 22)
OLD, NEW, OTHER = b"the old key", b"the new key", b"another key"

HELLO, PROOF, REFUSAL = 1, 2, 3


def dialler(
    keys: Sequence[bytes] = (OLD,),
    own: Peer = A,
    nonce: bytes = b"d" * 32,
    purpose: Purpose = Purpose.LINK,
    expected: Peer | None = None,
) -> Agreement:
    """
    The side that dials.
    """
    return Agreement(Role.DIALLER, own, keys, nonce, deadline=10.0, purpose=purpose, expected=expected)


def acceptor(keys: Sequence[bytes] = (OLD,), own: Peer = B, nonce: bytes = b"a" * 32) -> Agreement:
    """
    The side that is dialled.
    """
    return Agreement(Role.ACCEPTOR, own, keys, nonce, deadline=10.0)


def message(kind: int, body: bytes) -> bytes:
    """
    A message by hand.
    """
    return struct.pack("!BH", kind, len(body)) + body


def hello(own: Peer = A, *, magic: bytes = b"PICO", version: int = 1, mode: int = 1, nonce: bytes = b"x" * 32) -> bytes:
    """
    A HELLO by hand.
    """
    return message(HELLO, magic + struct.pack("!BB32sQ", version, mode, nonce, own.generation) + own.id.encode())


def run(one: Agreement, other: Agreement, *, size: int = 1 << 20) -> tuple[list[Event], list[Event]]:
    """
    Let a dialler and an acceptor speak until nothing is left to say; the acceptor accepts.

    :param size: bytes delivered at a time.
    :return: what each reported.
    """
    events: tuple[list[Event], list[Event]] = ([], [])
    moved = True
    while moved:
        moved = False
        for source, target, heard in ((one, other, events[1]), (other, one, events[0])):
            data = source.data_to_send()
            for pos in range(0, len(data), size):
                moved = True
                new = target.receive_data(data[pos : pos + size])
                heard += new
                if any(isinstance(event, Proven) for event in new):
                    target.accept()
    return events


def refusals(events: Iterable[Event]) -> list[int]:
    """
    The codes of failures.
    """
    return [event.error.code for event in events if isinstance(event, Failed)]


def recorded(one: Agreement, other: Agreement) -> tuple[list[bytes], list[bytes]]:
    """
    What a dialler and an acceptor say when they agree.
    """
    first = one.data_to_send()
    other.receive_data(first)
    second = other.data_to_send()
    one.receive_data(second)
    third = one.data_to_send()
    other.receive_data(third)
    other.accept()
    fourth = other.data_to_send()
    one.receive_data(fourth)
    assert one.state is State.AGREED and other.state is State.AGREED
    return [first, third], [second, fourth]


class AgreementTests(SynchronousTestCase):
    """
    Two nodes that belong together.
    """

    def test_agree(self) -> None:
        """
        With the same key, or both without any, they agree, and know who the other one is and what it wants.
        """
        for keys in ((OLD,), ()):
            for purpose in Purpose:
                one, other = dialler(keys, purpose=purpose), acceptor(keys)
                self.assertEqual(run(one, other), ([Agreed(B)], [Proven(A, purpose)]))
                self.assertEqual((one.state, other.state), (State.AGREED, State.AGREED))

    def test_byte_by_byte(self) -> None:
        """
        How the bytes are cut changes nothing.
        """
        self.assertEqual(run(dialler(), acceptor(), size=1), ([Agreed(B)], [Proven(A, Purpose.LINK)]))

    def test_cut_anywhere(self) -> None:
        """
        Each message may be cut at every place, and what stands behind the last one is the owner's.
        """
        from_one, from_other = recorded(dialler(), acceptor())
        for cut in range(len(from_other[1]) + 4):
            one = dialler()
            one.receive_data(from_other[0])
            data = from_other[1] + b"more"
            events = one.receive_data(data[:cut]) + one.receive_data(data[cut:])
            self.assertEqual(events, [Agreed(B)])
            self.assertEqual(one.take_leftover(), b"more")
        for cut in range(len(from_one[0])):
            other = acceptor()
            self.assertEqual(other.receive_data(from_one[0][:cut]), [])
            self.assertEqual(other.data_to_send(), b"")
            self.assertEqual(other.receive_data(from_one[0][cut:]), [])
            self.assertEqual(other.data_to_send(), from_other[0])

    def test_bytes(self) -> None:
        """
        The messages are these; a proof is the HMAC of role, both HELLOs and purpose, with a key made for that.
        """
        (first, third), (second, fourth) = recorded(dialler(), acceptor())
        self.assertEqual(first, hello(A, nonce=b"d" * 32))
        self.assertEqual(second, hello(B, nonce=b"a" * 32))
        key = hmac.digest(OLD, b"pico node link 1", "sha256")
        proof = hmac.digest(key, b"dialler\0" + first + second + b"\x02", "sha256")
        self.assertEqual(third, message(PROOF, b"\x02" + proof))
        self.assertEqual(fourth, message(PROOF, hmac.digest(key, b"acceptor\0" + first + second + b"\x02", "sha256")))

    def test_rotation(self) -> None:
        """
        Keys are changed without a gap: at each step both ways work between nodes before and after it.
        """
        steps: list[tuple[bytes, ...]] = [(OLD,), (OLD, NEW), (NEW, OLD), (NEW,)]
        for before, after in pairwise(steps):
            for one, other in ((before, after), (after, before), (after, after)):
                self.assertEqual(run(dialler(one), acceptor(other))[0], [Agreed(B)])

    def test_expected(self) -> None:
        """
        A dialler that knows whom it wants gets that node, in that life.
        """
        self.assertEqual(run(dialler(expected=B), acceptor())[0], [Agreed(B)])
        for expected, words in (
            (Peer(NodeId("c"), 22), "it is b, not c"),
            (Peer(NodeId("b"), 23), "it is another life of b"),
        ):
            one, other = run(dialler(expected=expected), acceptor())
            self.assertEqual((refusals(one), refusals(other)), ([Refusal.WRONG_NODE], [Refusal.WRONG_NODE]))
            assert isinstance(one[0], Failed)
            self.assertEqual(str(one[0].error), words)

    def test_refused(self) -> None:
        """
        An acceptor's owner may say no, and the dialler learns why.
        """
        for refusal in Refusal:
            one, other = dialler(), acceptor()
            other.receive_data(one.data_to_send())
            one.receive_data(other.data_to_send())
            other.receive_data(one.data_to_send())
            other.refuse(refusal)
            self.assertEqual(refusals(one.receive_data(other.data_to_send())), [refusal])
            self.assertEqual((one.state, other.state), (State.FAILED, State.FAILED))

    def test_later_refusal(self) -> None:
        """
        A refusal that is not known yet, or says nothing, is one all the same.
        """
        for body in (b"\xff", b""):
            self.assertEqual(refusals(dialler().receive_data(message(REFUSAL, body))), [Refusal.MALFORMED])


class StrangerTests(SynchronousTestCase):
    """
    Nodes that do not belong together, and those who pretend to.
    """

    def test_wrong_key(self) -> None:
        """
        An acceptor without the dialler's key sends it away, having shown nothing but its HELLO; so does a dialler
        that gets no good proof.
        """
        one, other = dialler((OTHER,)), acceptor((OLD, NEW))
        one_heard, other_heard = run(one, other)
        self.assertEqual((refusals(one_heard), refusals(other_heard)), ([Refusal.PROOF], [Refusal.PROOF]))
        for proof in (b"", b"p" * 32, b"p" * 33):
            one = dialler()
            one.receive_data(hello(B))
            self.assertEqual(refusals(one.receive_data(message(PROOF, proof))), [Refusal.PROOF])

    def test_modes(self) -> None:
        """
        A node with keys never agrees with one without.
        """
        for one_keys, other_keys in (((), (OLD,)), ((OLD,), ())):
            one, other = run(dialler(one_keys), acceptor(other_keys))
            self.assertEqual((refusals(one), refusals(other)), ([Refusal.MODE], [Refusal.MODE]))

    def test_empty_proof(self) -> None:
        """
        Where there are keys an empty proof is none, and where there are none a proof is not taken.
        """
        for keys, mode, proof in (((OLD,), 1, b""), ((), 0, b"p" * 32)):
            other = acceptor(keys)
            other.receive_data(hello(A, mode=mode))
            self.assertEqual(refusals(other.receive_data(message(PROOF, b"\x02" + proof))), [Refusal.PROOF])

    def test_replayed(self) -> None:
        """
        A recording of either side proves nothing to anybody.
        """
        from_one, from_other = recorded(dialler(), acceptor())
        other = acceptor(nonce=b"n" * 32)
        self.assertEqual(refusals(other.receive_data(b"".join(from_one))), [Refusal.PROOF])
        one = dialler(nonce=b"n" * 32)
        self.assertEqual(refusals(one.receive_data(b"".join(from_other))), [Refusal.PROOF])

    def test_reflected(self) -> None:
        """
        A side's own words, sent back, are no answer; not even by somebody who changes the id in them.
        """
        one = dialler()
        self.assertEqual(refusals(one.receive_data(one.data_to_send())), [Refusal.SAME_ID])
        one = dialler()
        one.receive_data(hello(B, nonce=b"d" * 32))
        _, _, proof = one.data_to_send().partition(message(PROOF, b"\x02" + bytes(32))[:4])
        self.assertEqual(len(proof), 32)
        self.assertEqual(refusals(one.receive_data(message(PROOF, proof))), [Refusal.PROOF])

    def test_in_between(self) -> None:
        """
        A node that passes the words of two others on under its own name convinces neither.
        """
        one, other = dialler(), acceptor()
        mallory = Peer(NodeId("m"), 1)
        one.data_to_send()
        other.receive_data(hello(mallory, nonce=b"d" * 32))
        one.receive_data(hello(mallory, nonce=b"a" * 32))
        self.assertEqual(refusals(other.receive_data(one.data_to_send())), [Refusal.PROOF])

    def test_same_id(self) -> None:
        """
        A node that reaches itself, or one of its name, is told so.
        """
        for generation, words in ((11, "it is this node itself"), (12, "it has this node's id")):
            one, other = run(dialler(), acceptor(own=Peer(A.id, generation)))
            self.assertEqual((refusals(one), refusals(other)), ([Refusal.SAME_ID], [Refusal.SAME_ID]))
            assert isinstance(other[0], Failed)
            self.assertEqual(str(other[0].error), words)

    @settings(derandomize=True, deadline=None, max_examples=100)
    @given(st.integers(0, 3), st.integers(0, 400), st.integers(0, 7))
    def test_changed(self, which: int, at: int, bit: int) -> None:
        """
        Whoever changes one bit on the way keeps the two from agreeing.
        """
        one, other = dialler(), acceptor()
        sources = (one, other)
        for turn in range(4):
            source, target = sources[turn % 2], sources[1 - turn % 2]
            data = bytearray(source.data_to_send())
            if turn == which and data:
                data[at % len(data)] ^= 1 << bit
            for event in target.receive_data(bytes(data)):
                if isinstance(event, Proven):
                    target.accept()
        self.assertFalse(one.state is State.AGREED and other.state is State.AGREED)
        self.assertIsNot(one.state, State.AGREED)


class FaultTests(SynchronousTestCase):
    """
    Bytes that are none of this.
    """

    #: What comes first, and why it is refused.
    TABLE: tuple[tuple[bytes, Refusal], ...] = (
        (b"GET / HTTP/1.1\r\n", Refusal.MALFORMED),
        (b"\x00\x00\x00", Refusal.MALFORMED),
        (struct.pack("!BH", HELLO, MAX_BODY + 1), Refusal.MALFORMED),
        (message(4, b""), Refusal.MALFORMED),
        (message(HELLO, b""), Refusal.MALFORMED),
        (hello(magic=b"PIKO"), Refusal.MALFORMED),
        (hello(Peer(NodeId(""), 1)), Refusal.MALFORMED),
        (hello(Peer(NodeId("i" * (MAX_ID + 1)), 1)), Refusal.MALFORMED),
        (hello(Peer(NodeId("two\nlines"), 1)), Refusal.MALFORMED),
        (hello()[:1] + struct.pack("!H", 49) + hello(Peer(NodeId(""), 1))[3:] + b"\xff\xff\xff", Refusal.MALFORMED),
        (hello(version=2), Refusal.VERSION),
        (hello(mode=2), Refusal.MODE),
        (message(PROOF, b"\x02" + bytes(32)), Refusal.MALFORMED),
    )

    def test_first(self) -> None:
        """
        What is no HELLO is refused, in words, wherever it is cut, and nothing after it is looked at.
        """
        for data, refusal in self.TABLE:
            for cut in range(len(data)):
                other = acceptor()
                events = other.receive_data(data[:cut]) + other.receive_data(data[cut:])
                self.assertEqual(refusals(events), [refusal], data)
                self.assertEqual(other.data_to_send(), message(REFUSAL, bytes((refusal,))))
                self.assertEqual(other.receive_data(hello()), [])
                self.assertEqual(other.receive_eof(), [])
                self.assertIsNone(other.next_deadline())

    def test_second(self) -> None:
        """
        So is what is no PROOF.
        """
        for data, refusal in (
            (hello(), Refusal.MALFORMED),
            (message(PROOF, b""), Refusal.MALFORMED),
            (message(PROOF, b"\x09" + bytes(32)), Refusal.PURPOSE),
            (message(REFUSAL, b"\x04"), Refusal.PROOF),
        ):
            other = acceptor()
            other.receive_data(hello())
            self.assertEqual(refusals(other.receive_data(data)), [refusal])

    def test_ended(self) -> None:
        """
        An end before the agreement is a failure, and after it the owner's business.
        """
        for side in (dialler(), acceptor()):
            side.data_to_send()
            self.assertEqual(refusals(side.receive_eof()), [Refusal.CLOSED])
            self.assertEqual(side.data_to_send(), b"")
        one, other = dialler(), acceptor()
        run(one, other)
        self.assertEqual((one.receive_eof(), other.receive_eof()), ([], []))

    def test_deadline(self) -> None:
        """
        Who takes too long is sent away; a timer that fires early does no harm.
        """
        for side in (dialler(), acceptor()):
            side.data_to_send()
            self.assertEqual(side.next_deadline(), 10.0)
            self.assertEqual(side.handle_timer(9.9), [])
            self.assertEqual(refusals(side.handle_timer(10.0)), [Refusal.TIMEOUT])
            self.assertEqual(side.data_to_send(), message(REFUSAL, bytes((Refusal.TIMEOUT,))))
            self.assertEqual(side.handle_timer(11.0), [])
        one, other = dialler(), acceptor()
        run(one, other)
        self.assertEqual((one.next_deadline(), other.next_deadline()), (None, None))

    def test_misuse(self) -> None:
        """
        Ids, nonces and keys that cannot be used, and verbs out of turn, are our own fault.
        """
        for own, keys, nonce in (
            (Peer(NodeId(""), 1), (OLD,), b"n" * 32),
            (Peer(NodeId("i" * 256), 1), (OLD,), b"n" * 32),
            (A, (OLD,), b"short"),
            (A, (OLD, b""), b"n" * 32),
            (A, (OLD,) * (MAX_KEYS + 1), b"n" * 32),
        ):
            self.assertRaises(LocalProtocolError, acceptor, keys, own, nonce)
        for side in (dialler(), acceptor()):
            self.assertRaises(LocalProtocolError, side.accept)
            self.assertRaises(LocalProtocolError, side.refuse, Refusal.DRAINING)

    def test_secrets_stay(self) -> None:
        """
        No key shows in what is sent or said.
        """
        one, other = dialler((OTHER,)), acceptor()
        said = str(run(one, other)) + repr(one) + repr(other)
        from_one, from_other = recorded(dialler(), acceptor())
        sent = b"".join(from_one + from_other)
        for key in (OLD, NEW, OTHER):
            self.assertNotIn(key, sent)
            self.assertNotIn(key.decode(), said)
