"""
Tests for :mod:`pico.cluster.table`.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.trial.unittest import SynchronousTestCase

from pico.cluster.members import Holder
from pico.cluster.schema import Fact
from pico.cluster.table import MemberTable, Status
from pico.gossip.events import BecameReachable, BecameUnreachable, Changed, Event, FarBehind, Joined, Left, Removed
from pico.gossip.peer import Peer as Member
from pico.names import DEFAULT_TENANT, EndpointKey, NodeId, TenantId
from pico.wire.link_auth import Peer
from tests.cluster.members import joined, life, serves

E = EndpointKey(DEFAULT_TENANT, "e")
F = EndpointKey(DEFAULT_TENANT, "f")

A, B = NodeId("a"), NodeId("b")


class TableTestCase(SynchronousTestCase):
    """
    A node that hears of others.
    """

    def setUp(self) -> None:
        """
        It knows nobody yet.
        """
        self.table = MemberTable()
        self.a = life("a")
        self.b = life("b", host="b.example", port=9)

    def take(self, *events: Event) -> None:
        """
        Let it hear something.
        """
        self.table.take(events)

    def holders(self, key: EndpointKey = E) -> list[str]:
        """
        Who has an endpoint.
        """
        return [holder.peer.id for holder in self.table.holders(key)]

    def status(self, node: NodeId = A) -> Status | None:
        """
        What is held of a node.
        """
        entry = self.table.find(node)
        return entry.status if entry is not None else None


class HoldersTests(TableTestCase):
    """
    Who has tunnels of an endpoint.
    """

    def test_nobody(self) -> None:
        """
        Nobody has what nobody publishes.
        """
        self.take(*joined(self.a))
        self.assertEqual(self.holders(), [])
        self.assertIs(self.table.holders(E), self.table.holders(F))

    def test_holder(self) -> None:
        """
        Who publishes an endpoint has it, at the address of its life.
        """
        self.take(Joined(self.b), serves(self.b, "e", value=b"3 16"))
        self.assertEqual(self.table.holders(E), (Holder(Peer(B, 1), "b.example", 9, 3, 16, False),))

    def test_same_object(self) -> None:
        """
        The answer is the same object until something changes for that endpoint.
        """
        self.take(Joined(self.a), Joined(self.b), serves(self.a, "e", "f"))
        changes: list[tuple[Event, bool]] = [
            (Changed(self.a, [(b"version", b"2")]), False),
            (serves(self.b, "f"), False),
            (serves(self.a, "e", tenant="t"), False),
            (FarBehind(self.a, 1), False),
            (serves(self.b, "e"), True),
            (serves(self.a, "e", value=b"1 8"), True),
            (serves(self.a, "e", value=b"1 8"), False),
            (Changed(self.a, [(b"status", b"leaving")]), True),
            (BecameUnreachable(self.a), True),
            (BecameUnreachable(self.a), False),
            (BecameReachable(self.a), True),
            (serves(self.b, "e", value=None), True),
            (serves(self.b, "e", value=None), False),
            (Left(self.a), True),
        ]
        for event, changed in changes:
            before = self.table.holders(E)
            self.assertIs(before, self.table.holders(E))
            self.take(event)
            self.assertEqual(self.table.holders(E) is not before, changed, event)

    def test_tenants(self) -> None:
        """
        The same name of another tenant is another endpoint.
        """
        self.take(Joined(self.a), serves(self.a, "e", tenant="t"))
        self.assertEqual(self.holders(), [])
        self.assertEqual(self.holders(EndpointKey(TenantId("t"), "e")), ["a"])

    def test_deleted(self) -> None:
        """
        What is taken back is gone.
        """
        self.take(Joined(self.a), serves(self.a, "e", "f"), serves(self.a, "e", value=None))
        self.assertEqual((self.holders(E), self.holders(F)), ([], ["a"]))

    def test_status(self) -> None:
        """
        Nothing goes to who cannot be reached or has left; who leaves is marked.
        """
        self.take(Joined(self.a), serves(self.a, "e"))
        steps: list[tuple[Callable[[Member], Event], Status, bool]] = [
            (lambda a: Changed(a, [(b"status", b"leaving")]), Status.LEAVING, True),
            (BecameUnreachable, Status.UNREACHABLE, False),
            (BecameReachable, Status.LEAVING, True),
            (lambda a: Changed(a, [(b"status", None)]), Status.ACTIVE, True),
            (lambda a: Changed(a, [(b"status", b"what is that")]), Status.ACTIVE, True),
            (Left, Status.LEFT, False),
        ]
        for event, status, serving in steps:
            self.take(event(self.a))
            self.assertIs(self.status(), status)
            self.assertEqual(self.holders(), ["a"] if serving else [])
            self.assertEqual([holder.leaving for holder in self.table.holders(E)], [status is Status.LEAVING] * serving)


class NewsTests(TableTestCase):
    """
    What those are told who wait for an endpoint.
    """

    def test_news(self) -> None:
        """
        Who serves something from now on, or says again that it does, and who no more; of those that may be asked.
        """
        again = life("a", 2)
        steps: list[tuple[Event, list[EndpointKey], list[EndpointKey]]] = [
            (Joined(self.a), [], []),
            (serves(self.a, "e"), [E], []),
            (serves(self.a, "e"), [E], []),
            (serves(self.a, "f", value=b"2 8"), [F], []),
            (Changed(self.a, [(b"status", b"leaving")]), [], []),
            (serves(self.a, "e", value=None), [], [E]),
            (serves(self.a, "e", value=None), [], []),
            (serves(self.a, "e", "f"), [E, F], []),
            (BecameUnreachable(self.a), [], [F, E]),
            (serves(self.a, "f"), [], []),
            (serves(self.a, "f", value=None), [], []),
            (Left(self.a), [], []),
            (BecameReachable(self.a), [E], []),
            (Joined(again), [], [E]),
            (serves(again, "f"), [F], []),
            (Removed(again), [], [F]),
        ]
        for event, served, lost in steps:
            news = self.table.take([event])
            self.assertEqual((news.served, news.lost), (served, lost), event)

    def test_together(self) -> None:
        """
        What is heard in one go is told in one go.
        """
        news = self.table.take([Joined(self.a), Joined(self.b), serves(self.b, "f"), serves(self.a, "e", "f")])
        self.assertEqual((news.served, news.lost), ([F, E, F], []))


class TunnelsTests(TableTestCase):
    """
    How many tunnels nodes have.
    """

    def test_counted(self) -> None:
        """
        Those of all endpoints together, whatever happens to single ones.
        """
        self.take(*joined(self.a), *joined(self.b))
        self.assertEqual(self.table.tunnels(), {A: 0, B: 0})
        self.take(serves(self.a, "e", "f", value=b"3 0"), serves(self.b, "e"))
        self.assertEqual(self.table.tunnels(), {A: 6, B: 1})
        self.take(serves(self.a, "e", value=b"5 9"), serves(self.a, "f", value=b"3 0"), serves(self.b, "g"))
        self.assertEqual(self.table.tunnels(), {A: 8, B: 2})
        self.take(
            serves(self.a, "e", value=None), serves(self.a, "x", value=None), serves(self.b, "e", "g", value=None)
        )
        self.assertEqual(self.table.tunnels(), {A: 3, B: 0})

    def test_status(self) -> None:
        """
        Of those alone that take new ones.
        """
        self.take(*joined(self.a), *joined(self.b), serves(self.a, "e"))
        for event, expected in (
            (BecameUnreachable(self.a), {B: 0}),
            (BecameReachable(self.a), {A: 1, B: 0}),
            (Changed(self.a, [(b"status", b"leaving")]), {B: 0}),
            (Changed(self.a, [(b"status", None)]), {A: 1, B: 0}),
            (Left(self.b), {A: 1}),
            (Left(self.a), {}),
        ):
            self.take(event)
            self.assertEqual(self.table.tunnels(), expected)

    def test_new_life(self) -> None:
        """
        A new life begins with none.
        """
        self.take(*joined(self.a), serves(self.a, "e"), *joined(life("a", 2)))
        self.assertEqual(self.table.tunnels(), {A: 0})


class LifeTests(TableTestCase):
    """
    Who is who.
    """

    def test_generation(self) -> None:
        """
        The latest life is known, also of who is gone for now; of a stranger none is.
        """
        self.assertIsNone(self.table.generation(A))
        self.take(Joined(self.a))
        for event in (BecameUnreachable(self.a), Left(self.a)):
            self.take(event)
            self.assertEqual(self.table.generation(A), 1)
        self.take(Removed(self.a))
        self.assertIsNone(self.table.generation(A))
        self.assertIsNone(self.status())

    def test_new_life(self) -> None:
        """
        With a new life the endpoints of the former one are gone, at once and before it has said anything.
        """
        again = life("a", 2, "10.0.0.2")
        self.take(Joined(self.a), serves(self.a, "e", "f"), Removed(self.a), Joined(again))
        self.assertEqual((self.holders(E), self.holders(F)), ([], []))
        self.assertEqual(self.table.generation(A), 2)
        self.take(serves(again, "e"))
        self.assertEqual(self.table.holders(E), (Holder(Peer(A, 2), "10.0.0.2", 8003),))

    def test_former_life(self) -> None:
        """
        What is said of a former life changes nothing.
        """
        again = life("a", 2)
        self.take(Joined(self.a), Removed(self.a), Joined(again), serves(again, "e"))
        self.take(serves(self.a, "f"), BecameUnreachable(self.a), Left(self.a), Removed(self.a))
        self.assertEqual((self.holders(E), self.holders(F)), (["a"], []))
        self.assertIs(self.status(), Status.ACTIVE)

    def test_new_life_without_a_word(self) -> None:
        """
        A new life replaces the former one also if nobody has said that this one was gone.
        """
        self.take(Joined(self.a), serves(self.a, "e"), Joined(life("a", 2)))
        self.assertEqual(self.holders(), [])

    def test_removed(self) -> None:
        """
        Who is forgotten has no endpoints any more; the others keep theirs.
        """
        self.take(Joined(self.a), serves(self.a, "e", "f"), Joined(self.b), serves(self.b, "e"), Removed(self.a))
        self.assertEqual((self.holders(E), self.holders(F)), (["b"], []))
        self.assertEqual([entry.peer.id for entry in self.table.entries], ["b"])


class SkippedTests(TableTestCase):
    """
    What other versions may publish.
    """

    def test_skipped(self) -> None:
        """
        What means nothing is skipped and counted; what stands beside it counts.
        """
        self.take(
            Joined(self.a),
            Changed(
                self.a,
                [
                    (b"later", b"1"),
                    (b"/e", b"1 0"),
                    (b"/\0\xff", b"1 0"),
                    (b"/\0f", b"many"),
                    (b"version", b"\x1b[2J"),
                    (b"proxy_addr", b"10.0.0.1:8000"),
                    (b"/\0e", b"1 0 more"),
                ],
            ),
        )
        self.assertEqual(self.table.skipped, 5)
        self.assertEqual((self.holders(E), self.holders(F)), (["a"], []))
        entry = self.table.find(A)
        assert entry is not None
        self.assertEqual(entry.facts, {Fact.PROXY_ADDR: "10.0.0.1:8000"})

    def test_stranger(self) -> None:
        """
        What is said of somebody who has not joined is nothing.
        """
        self.take(serves(self.a, "e"), BecameReachable(self.a), Removed(self.a))
        self.assertEqual(self.holders(), [])
