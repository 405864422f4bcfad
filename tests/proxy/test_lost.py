"""
Tests for :mod:`pico.proxy.lost`.
"""

from __future__ import annotations

from collections.abc import Sequence

from twisted.trial.unittest import SynchronousTestCase

from pico.names import DEFAULT_TENANT, EndpointKey, TenantId
from pico.proxy.lost import REST, LostEndpoints

E = EndpointKey(DEFAULT_TENANT, "e")
F = EndpointKey(DEFAULT_TENANT, "f")
THEIRS = EndpointKey(TenantId("t"), "e")


class UntilTests(SynchronousTestCase):
    """
    For how long requests may wait: two seconds.
    """

    def setUp(self) -> None:
        """
        Nothing is lost yet.
        """
        self.known = LostEndpoints(2.0)

    def happen(self, *steps: tuple[float, str, float | None]) -> None:
        """
        Let something happen at a time, and see until when requests may wait then.
        """
        for now, what, until in steps:
            if what == "lost":
                self.known.lost(E, now)
            elif what == "served":
                self.known.served(E)
            elif what == "refused":
                self.assertEqual(self.known.refused(E, now), until, (now, what))
            self.assertEqual(self.known.until(E, now), until, (now, what))

    def test_stranger(self) -> None:
        """
        Nobody waits for what never was there, nor for what somebody else has lost.
        """
        self.known.lost(F, 1.0)
        self.known.lost(THEIRS, 1.0)
        self.happen((1.0, "", None), (1.5, "served", None))

    def test_lost(self) -> None:
        """
        Requests may wait up to a moment that is the same for all, and later no more.
        """
        self.happen((1.0, "lost", 3.0), (2.9, "", 3.0), (3.0, "", None), (100.0, "", None))

    def test_served(self) -> None:
        """
        What is there again can be lost again, at any time.
        """
        self.happen((1.0, "lost", 3.0), (1.5, "served", None), (1.6, "lost", 3.6), (10.0, "lost", 12.0))

    def test_refused(self) -> None:
        """
        A refusal is a loss, but not when there was one already or when it has been going on.
        """
        self.happen((1.0, "refused", 3.0), (2.0, "refused", 3.0), (3.0, "refused", None), (2.9 + REST, "refused", None))
        self.happen((3.0 + REST, "refused", 5.0 + REST))

    def test_refused_after_news(self) -> None:
        """
        A refusal by whom something was heard of meanwhile means something.
        """
        self.happen((1.0, "refused", 3.0), (4.0, "served", None), (4.1, "refused", 6.1))

    def test_lost_after_refusals(self) -> None:
        """
        That the last one is gone for certain is news after any number of refusals.
        """
        self.happen((1.0, "refused", 3.0), (3.5, "refused", None), (4.0, "lost", 6.0))


class BoundTests(SynchronousTestCase):
    """
    How many endpoints are remembered.
    """

    def lose(self, known: LostEndpoints, names: str, now: float) -> None:
        """
        Lose endpoints.
        """
        for name in names:
            known.lost(EndpointKey(DEFAULT_TENANT, name), now)

    def awaited(self, known: LostEndpoints, now: float) -> Sequence[str]:
        """
        Those that may be waited for.
        """
        return [name for name in "abcdefgh" if known.until(EndpointKey(DEFAULT_TENANT, name), now) is not None]

    def test_limit(self) -> None:
        """
        Of too many the last ones are remembered; one that is lost anew is a last one.
        """
        known = LostEndpoints(1.0, limit=4)
        self.lose(known, "abc", 1.0)
        self.lose(known, "a", 1.1)
        self.lose(known, "de", 1.2)
        self.assertEqual((self.awaited(known, 1.3), len(known)), (["a", "c", "d", "e"], 4))

    def test_forgotten(self) -> None:
        """
        What has been gone for long takes no memory from when something else is lost.
        """
        known = LostEndpoints(1.0)
        self.lose(known, "abc", 1.0)
        self.lose(known, "d", 1.5 + REST)
        self.assertEqual(len(known), 4)
        self.lose(known, "e", 2.0 + REST)
        self.assertEqual(len(known), 2)

    def test_off(self) -> None:
        """
        Without a time to wait nothing is remembered.
        """
        known = LostEndpoints(0)
        self.lose(known, "abc", 1.0)
        self.assertIsNone(known.refused(E, 1.0))
        self.assertEqual((self.awaited(known, 1.0), len(known), known.limit), ([], 0, 0))
