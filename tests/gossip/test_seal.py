"""
Tests for :mod:`pico.gossip.seal`.
"""

from __future__ import annotations

from itertools import pairwise

from twisted.trial.unittest import SynchronousTestCase

from pico.gossip.seal import NOBODY, Keys, Sealer, read_envelope

HERE = b"\x01" * 8
THERE = b"\x02" * 8
OLD = b"an old secret of the group"
NEW = b"a new secret of the group"


def opened(keys: Keys, data: bytes) -> bytes | None:
    """
    The sections of a life's first datagram.
    """
    envelope = read_envelope(data)
    assert envelope is not None
    found = keys.open(data, envelope)
    return None if found is None else found[1]


class SealTests(SynchronousTestCase):
    """
    What a seal proves.
    """

    def test_layout(self) -> None:
        """
        A plain datagram has the bytes that the documentation says; a sealed one has a tag besides.
        """
        plain = Keys().sealer(HERE).seal(THERE, b"sections")
        self.assertEqual(b"\x01" + HERE + THERE + bytes.fromhex("000000000001") + b"sections", plain)
        sealed = Keys([OLD]).sealer(HERE).seal(THERE, b"sections")
        self.assertEqual(b"\x02" + plain[1:23], sealed[:23])
        self.assertEqual(len(plain) + 16, len(sealed))
        self.assertNotIn(b"sections", sealed)
        for keys, data in ((Keys(), plain), (Keys([OLD]), sealed)):
            self.assertEqual(len(data) - 8, keys.overhead)

    def test_opens(self) -> None:
        """
        Who has the secret reads what was sealed.
        """
        for secrets in ([], [OLD]):
            self.assertEqual(b"sections", opened(Keys(secrets), Keys(secrets).sealer(HERE).seal(NOBODY, b"sections")))

    def test_any_change(self) -> None:
        """
        No bit of a sealed datagram can be changed, and nothing can be cut off or added.
        """
        keys = Keys([OLD])
        data = keys.sealer(HERE).seal(THERE, b"sections")
        for position in range(len(data) * 8):
            changed = bytearray(data)
            changed[position // 8] ^= 1 << position % 8
            self.assertIsNone(opened(keys, bytes(changed)), position)
        for other in (data[:-1], data + b"\0", data[:23]):
            self.assertIsNone(opened(keys, other))

    def test_others_secret(self) -> None:
        """
        Another group's datagrams are not opened, nor plain ones where there is a secret, nor sealed ones where
        there is none.
        """
        for mine, theirs in (([OLD], [NEW]), ([OLD], []), ([], [OLD])):
            self.assertIsNone(opened(Keys(mine), Keys(theirs).sealer(HERE).seal(NOBODY, b"sections")), (mine, theirs))

    def test_change_of_secrets(self) -> None:
        """
        Members with the old secret, both, and the new one understand their neighbours in that order.
        """
        steps = [Keys([OLD]), Keys([OLD, NEW]), Keys([NEW, OLD]), Keys([NEW])]
        for first, second in pairwise(steps):
            for one, other in ((first, second), (second, first)):
                self.assertEqual(b"sections", opened(other, one.sealer(HERE).seal(NOBODY, b"sections")))
        self.assertIsNone(opened(steps[0], steps[2].sealer(HERE).seal(NOBODY, b"sections")))

    def test_opener(self) -> None:
        """
        What opened a life's first datagram opens the next ones, and no other life's.
        """
        keys = Keys([NEW, OLD])
        sealer = Keys([OLD]).sealer(HERE)
        first = sealer.seal(NOBODY, b"first")
        envelope = read_envelope(first)
        assert envelope is not None
        found = keys.open(first, envelope)
        assert found is not None
        opener, _ = found
        second = sealer.seal(NOBODY, b"second")
        envelope = read_envelope(second)
        assert envelope is not None
        self.assertEqual((HERE, NOBODY, 2), (envelope.sender, envelope.receiver, envelope.counter))
        self.assertEqual(b"second", opener.open(second, envelope))
        other = Keys([OLD]).sealer(THERE).seal(NOBODY, b"third")
        envelope = read_envelope(other)
        assert envelope is not None
        self.assertIsNone(opener.open(other, envelope))

    def test_never_the_same(self) -> None:
        """
        The same sections look different each time, and in each life.
        """
        keys = Keys([OLD])
        one, other = keys.sealer(HERE), keys.sealer(THERE)
        made = [sealer.seal(NOBODY, b"sections")[23:] for sealer in (one, one, other, other)]
        self.assertEqual(4, len(set(made)))
        self.assertEqual((2, 2), (one.counter, other.counter))

    def test_short(self) -> None:
        """
        What is too short for an envelope is none; a short secret is refused without being shown.
        """
        for length in range(23):
            self.assertIsNone(read_envelope(bytes(length)))
        with self.assertRaises(ValueError) as caught:
            Keys([OLD, b"short"])
        self.assertNotIn("short", str(caught.exception).replace("shorter", ""))

    def test_large_counter(self) -> None:
        """
        Counters have six bytes.
        """
        sealer: Sealer = Keys([OLD]).sealer(HERE)
        sealer.counter = 2**40
        data = sealer.seal(NOBODY, b"sections")
        envelope = read_envelope(data)
        assert envelope is not None
        self.assertEqual(2**40 + 1, envelope.counter)
        self.assertEqual(b"sections", opened(Keys([OLD]), data))
