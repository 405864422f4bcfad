"""
Tests for :mod:`pico.gossip.ledger`.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pico.gossip.ledger import KEPT_DELETED, Ledger, LedgerFull, live
from pico.gossip.limits import Limits
from pico.gossip.sections import Block, Record

LIMITS = Limits()


def block(source: Ledger, after: int = 0, count: int | None = None) -> Block:
    """
    What somebody who has everything up to ``after`` is sent; ``count`` records of it at most.
    """
    after = max(after, source.floor)
    records = source.since(after)
    cut = count is not None and count < len(records)
    if cut:
        records = records[:count]
    upto = source.version if not cut else records[-1][1] if records else after
    complete = not cut and source.complete
    return Block(b"", source.floor, after, upto, complete, None, records)


def view(ledger: Ledger) -> dict[bytes, bytes]:
    """
    The keys that live.
    """
    return dict(live(ledger))


def bare(after: int, upto: int, records: Sequence[Record], *, floor: int = 0, complete: bool = True) -> Block:
    """
    A block.
    """
    return Block(b"", floor, after, upto, complete, None, list(records))


class OwnTests(SynchronousTestCase):
    """
    A life publishes keys.
    """

    def test_versions(self) -> None:
        """
        Every change has the next version; what changes nothing has none.
        """
        ledger = Ledger(LIMITS)
        done = [
            ledger.put(b"a", b"1"),
            ledger.put(b"b", b"1"),
            ledger.put(b"a", b"1"),
            ledger.remove(b"c"),
            ledger.put(b"a", b"2"),
            ledger.remove(b"b"),
            ledger.remove(b"b"),
        ]
        self.assertEqual([True, True, False, False, True, True, False], done)
        self.assertEqual([(b"a", 3, b"2"), (b"b", 4, None)], list(ledger))
        self.assertEqual((4, 0, 1, 3), (ledger.version, ledger.floor, ledger.deleted, ledger.size))
        self.assertEqual((b"2", None, None), (ledger.get(b"a"), ledger.get(b"b"), ledger.get(b"c")))

    def test_since(self) -> None:
        """
        What somebody lacks is in the order of versions.
        """
        ledger = Ledger(LIMITS)
        for key in (b"a", b"b", b"c", b"a"):
            ledger.put(key, b"%d" % ledger.version)
        self.assertEqual([(b"b", 2, b"1"), (b"c", 3, b"2"), (b"a", 4, b"3")], ledger.since(0))
        self.assertEqual([(b"a", 4, b"3")], ledger.since(3))
        self.assertEqual([], ledger.since(4))

    def test_limits(self) -> None:
        """
        A member cannot publish more than its limits say, and hears which limit it was.
        """
        ledger = Ledger(attrs.evolve(LIMITS, max_keys=2, max_bytes=10))
        ledger.put(b"a", b"1")
        ledger.put(b"b", b"1")
        with self.assertRaisesRegex(LedgerFull, "2 keys"):
            ledger.put(b"c", b"1")
        with self.assertRaisesRegex(LedgerFull, "10 bytes"):
            ledger.put(b"a", b"12345678")
        ledger.put(b"a", b"1234567")
        ledger.remove(b"b")
        ledger.put(b"c", b"")
        with self.assertRaisesRegex(LedgerFull, "2 keys"):
            ledger.put(b"b", b"1")
        for key, value in ((bytes(513), b""), (b"a", bytes(513))):
            with self.assertRaisesRegex(LedgerFull, "512 bytes and a value 512"):
                Ledger(LIMITS).put(key, value)

    def test_mark(self) -> None:
        """
        What must be told is told, whatever the limits say, and what does not change it has no version.
        """
        ledger = Ledger(attrs.evolve(LIMITS, max_keys=1, max_bytes=2))
        ledger.put(b"a", b"1")
        ledger.mark(b"mark", b"value")
        ledger.mark(b"mark", b"value")
        self.assertEqual(2, ledger.version)
        self.assertEqual(b"value", ledger.get(b"mark"))

    def test_packet(self) -> None:
        """
        The longest record fits into a datagram, or the limits are refused.
        """
        with self.assertRaisesRegex(ValueError, "keys of 512 and values of 1000 need 1859"):
            Limits(max_value=1000)
        Limits(max_value=1000, max_packet_size=1859)

    def test_deleted_are_forgotten(self) -> None:
        """
        However many keys come and go, not more of them are remembered as deleted than live, or a few.
        """
        for kept in (0, 10, 500):
            ledger = Ledger(LIMITS)
            for number in range(kept):
                ledger.put(b"kept %d" % number, b"")
            for number in range(3000):
                ledger.put(b"%d" % number, b"")
                ledger.remove(b"%d" % number)
                self.assertLessEqual(ledger.deleted, max(KEPT_DELETED, kept) * 1.2)
            self.assertEqual(kept, len(view(ledger)))
            self.assertEqual(sum(len(key) + len(value or b"") for key, _, value in ledger), ledger.size)
            self.assertTrue(all(version > ledger.floor for _, version, _ in ledger))
            # On the average a deletion moves less than one key.
            self.assertLess(ledger.version, 2 * 3000 + kept + 3000)

    def test_all_deleted(self) -> None:
        """
        When everything is deleted, little is left.
        """
        ledger = Ledger(LIMITS)
        for number in range(1000):
            ledger.put(b"%d" % number, b"")
        for number in range(1000):
            ledger.remove(b"%d" % number)
        self.assertEqual(KEPT_DELETED, len(ledger))


class ApplyTests(SynchronousTestCase):
    """
    Others learn what a life publishes.
    """

    def test_changes(self) -> None:
        """
        What is new is told, what was known is not.
        """
        ledger = Ledger(LIMITS)
        self.assertEqual(
            [(b"a", b"1"), (b"b", b"2")],
            ledger.apply(bare(0, 3, [(b"a", 1, b"1"), (b"b", 2, b"2"), (b"c", 3, None)])),
        )
        self.assertEqual(
            [(b"b", None), (b"d", b"")],
            ledger.apply(bare(3, 6, [(b"a", 4, b"1"), (b"b", 5, None), (b"d", 6, b"")])),
        )
        self.assertEqual({b"a": b"1", b"d": b""}, view(ledger))
        self.assertEqual((6, 2), (ledger.version, ledger.deleted))

    def test_again(self) -> None:
        """
        What comes again, or late, changes nothing.
        """
        ledger = Ledger(LIMITS)
        first = bare(0, 2, [(b"a", 1, b"1"), (b"b", 2, b"2")])
        ledger.apply(first)
        ledger.apply(bare(2, 4, [(b"a", 3, None), (b"b", 4, b"3")]))
        self.assertEqual([], ledger.apply(first))
        self.assertEqual([], ledger.apply(bare(1, 3, [(b"b", 2, b"2"), (b"a", 3, None)])))
        self.assertEqual({b"b": b"3"}, view(ledger))
        self.assertEqual(4, ledger.version)

    def test_overlap(self) -> None:
        """
        Of a block that begins early, what is new is taken.
        """
        ledger = Ledger(LIMITS)
        ledger.apply(bare(0, 2, [(b"a", 1, b"1"), (b"b", 2, b"2")]))
        self.assertEqual([(b"c", b"3")], ledger.apply(bare(1, 3, [(b"b", 2, b"2"), (b"c", 3, b"3")])))

    def test_gap(self) -> None:
        """
        When something between is missing, nothing is taken.
        """
        ledger = Ledger(LIMITS)
        ledger.apply(bare(0, 2, [(b"a", 1, b"1"), (b"b", 2, b"2")]))
        self.assertIsNone(ledger.apply(bare(3, 4, [(b"a", 4, b"3")])))
        self.assertEqual((2, {b"a": b"1", b"b": b"2"}), (ledger.version, view(ledger)))

    def test_behind_the_floor(self) -> None:
        """
        Who was away for long learns what was deleted meanwhile, although nobody remembers it.
        """
        ledger = Ledger(LIMITS)
        ledger.apply(bare(0, 3, [(b"a", 1, b"1"), (b"b", 2, b"2"), (b"c", 3, b"3")]))
        changes = ledger.apply(bare(10, 12, [(b"a", 11, b"1"), (b"c", 12, b"4")], floor=10))
        self.assertEqual([(b"c", b"4"), (b"b", None)], changes)
        self.assertEqual({b"a": b"1", b"c": b"4"}, view(ledger))

    def test_no_flicker(self) -> None:
        """
        While he learns it piece by piece, what he knew stays; it goes when all has come.
        """
        ledger = Ledger(LIMITS)
        ledger.apply(bare(0, 3, [(b"a", 1, b"1"), (b"b", 2, b"2"), (b"c", 3, b"3")]))
        self.assertEqual([], ledger.apply(bare(10, 11, [(b"a", 11, b"1")], floor=10, complete=False)))
        self.assertFalse(ledger.complete)
        self.assertEqual({b"a", b"b", b"c"}, set(view(ledger)))
        # Somebody else knows as much, and that was all in his time, with an older floor.
        self.assertEqual([], ledger.apply(bare(5, 11, [(b"a", 11, b"1")], floor=5)))
        self.assertFalse(ledger.complete)
        self.assertEqual([(b"b", None)], ledger.apply(bare(11, 12, [(b"c", 12, b"3")], floor=10)))
        self.assertTrue(ledger.complete)

    def test_limits(self) -> None:
        """
        Nobody can make us remember more than the limits say: what does not fit is counted, and not known.
        """
        limits = attrs.evolve(LIMITS, max_keys=2, max_bytes=400)
        ledger = Ledger(limits)
        many: list[Record] = [(b"%d" % number, number, b"") for number in range(1, 1001)]
        ledger.apply(bare(0, 1000, many))
        self.assertEqual((132, 868, 1000), (len(ledger), ledger.refused, ledger.version))
        self.assertEqual([(b"1", None)], ledger.apply(bare(1000, 1001, [(b"1", 1001, bytes(800))])))
        self.assertEqual(131, len(ledger))


class Model:
    """
    One life's owner and some who learn of it.
    """

    def __init__(self, others: int) -> None:
        self.owner = Ledger(LIMITS)
        self.others = [Ledger(LIMITS) for _ in range(others)]
        #: Blocks that were sent and may arrive at any time, again and again.
        self.under_way: list[Block] = []
        #: What each version of each key was.
        self.history: dict[bytes, list[tuple[int, bytes | None]]] = {}

    def change(self, key: bytes, value: bytes | None) -> None:
        """
        The owner changes a key.
        """
        if value is None:
            self.owner.remove(key)
        else:
            self.owner.put(key, value)
        for each, version, now in self.owner:
            versions = self.history.setdefault(each, [])
            if not versions or versions[-1][0] != version:
                versions.append((version, now))

    def check(self, ledger: Ledger) -> None:
        """
        No key lives whose deletion is known.
        """
        for key, version, value in ledger:
            versions = self.history[key]
            assert (version, value) in versions, "nobody ever said so"
            void = version <= ledger.floor and not ledger.complete
            for later, then in versions:
                if version < later <= ledger.version and then is None:
                    assert void, f"{key!r} has come back"


KEYS = [b"%d" % number for number in range(6)]
steps = st.one_of(
    st.tuples(st.just("change"), st.sampled_from(KEYS), st.sampled_from([b"1", b"2", None, None])),
    st.tuples(st.just("churn"), st.integers(1, 200), st.just(None)),
    st.tuples(st.just("send"), st.integers(0, 3), st.integers(0, 3)),
    st.tuples(st.just("cut"), st.integers(0, 3), st.integers(0, 3)),
    st.tuples(st.just("arrive"), st.integers(0, 100), st.integers(0, 2)),
)


class ConvergenceTests(SynchronousTestCase):
    """
    Whatever is lost, repeated, late or cut: everybody knows the same in the end.
    """

    @settings(derandomize=True, deadline=None, max_examples=80)
    @given(st.lists(steps, max_size=60))
    def test_any_order(self, done: list[tuple[str, object, object]]) -> None:
        """
        Blocks of any age from anybody lead to what the owner has, and no deleted key comes back.
        """
        model = Model(3)
        everybody = [model.owner, *model.others]
        for what, first, second in done:
            match what, first, second:
                case "change", bytes(key), (bytes() | None) as value:
                    model.change(key, value)
                case "churn", int(count), _:
                    for number in range(count):
                        model.change(b"churn %d" % number, b"")
                        model.change(b"churn %d" % number, None)
                case (("send" | "cut"), int(source), int(receiver)):
                    made = block(everybody[source], everybody[receiver].version, 2 if what == "cut" else None)
                    model.under_way.append(made)
                case "arrive", int(which), int(receiver) if model.under_way:
                    ledger = model.others[receiver]
                    before, version = view(ledger), ledger.version
                    changes = ledger.apply(model.under_way[which % len(model.under_way)])
                    for key, value in changes or []:
                        if value is None:
                            del before[key]
                        else:
                            before[key] = value
                    self.assertEqual(before, view(ledger))
                    self.assertGreaterEqual(ledger.version, version)
                    model.check(ledger)
        for ledger in model.others:
            ledger.apply(block(model.owner, ledger.version))
            self.assertEqual(view(model.owner), view(ledger))
            self.assertEqual(model.owner.version, ledger.version)
            self.assertEqual([version for _, version, _ in model.owner], [version for _, version, _ in ledger])
