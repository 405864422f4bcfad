"""
Tests for :mod:`pico.log.outlet`.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pico.log.outlet import RETRY, Outlet


class SlowTarget:
    """
    Takes as many bytes as it is told to.

    :ivar room: bytes that it will take.
    :ivar offered: what it was offered, piece by piece.
    """

    piece = 20

    def __init__(self, room: int = 1_000_000) -> None:
        self.room = room
        self.taken = b""
        self.offered: list[bytes] = []
        self.broken = False
        self.closed = False
        self.waited: list[float] = []
        self.on_wait: Callable[[], None] | None = None

    def write(self, data: bytes) -> int:
        self.offered.append(data)
        assert len(data) <= self.piece
        assert not self.closed
        if self.broken:
            raise OSError("disk full")
        taken = min(self.room, len(data))
        self.room -= taken
        self.taken += data[:taken]
        return taken

    def wait(self, seconds: float) -> bool:
        self.waited.append(seconds)
        if self.on_wait is not None:
            self.on_wait()
        return self.room > 0

    def close(self) -> None:
        self.closed = True


class OutletTests(SynchronousTestCase):
    """
    Lines on their way out.
    """

    def setUp(self) -> None:
        """
        Have an outlet.
        """
        self.clock = Clock()
        self.target = SlowTarget()
        self.outlet = self._outlet(100)

    def _outlet(self, limit: int) -> Outlet:
        return Outlet(
            self.target,
            clock=self.clock,
            limit=limit,
            note=lambda count: f"{count} dropped",
        )

    def test_together(self) -> None:
        """
        Lines that come together are written together, at once.
        """
        self.outlet.write(["one", "zoë"])
        self.assertEqual(self.target.offered, ["one\nzoë\n".encode()])
        self.outlet.write(["three"])
        self.assertEqual(self.target.offered[1:], [b"three\n"])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_stuck(self) -> None:
        """
        A target that is full is asked again in a moment, and not for every line.
        """
        self.target.room = 0
        for _ in range(10):
            self.outlet.write(["one"])
        self.assertEqual(len(self.target.offered), 1)
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.clock.advance(RETRY)
        self.assertEqual(len(self.target.offered), 2)

    def test_pieces(self) -> None:
        """
        Lines are offered whole, as many as the target takes at a time; a line that is longer is cut.
        """
        self.outlet.write(["123456789", "123456789", "12345", "x" * 30, "y"])
        self.assertEqual(
            self.target.offered,
            [b"123456789\n123456789\n", b"12345\n", b"x" * 20, b"x" * 10 + b"\ny\n"],
        )

    def test_slow(self) -> None:
        """
        What is not taken waits, and is offered again with what came meanwhile.
        """
        self.target.room = 5
        self.outlet.write(["one", "two"])
        self.assertEqual(self.target.taken, b"one\nt")
        self.clock.advance(RETRY / 2)
        self.assertEqual(len(self.target.offered), 1)
        self.target.room = 1
        self.clock.advance(RETRY)
        self.assertEqual(self.target.taken, b"one\ntw")
        self.target.room = 100
        self.outlet.write(["three"])
        self.clock.advance(RETRY)
        self.assertEqual(self.target.taken, b"one\ntwo\nthree\n")
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_dropped(self) -> None:
        """
        Beyond the bound lines are dropped, and how many is said when half of it is free again.
        """
        self.target.room = 0
        for number in range(100):
            self.outlet.write([f"line {number:04}"])
        self.assertEqual(self.outlet.dropped, 90)
        self.target.room = 40
        self.clock.advance(RETRY)
        self.outlet.write(["too early"])
        self.assertEqual(self.outlet.dropped, 91)
        self.target.room = 20
        self.clock.advance(RETRY)
        self.outlet.write(["in time"])
        self.target.room = 1000
        self.clock.advance(RETRY)
        lines = self.target.taken.decode().splitlines()
        self.assertEqual(lines, [*(f"line {number:04}" for number in range(10)), "91 dropped", "in time"])

    def test_dropped_at_last(self) -> None:
        """
        It is said as well when no further line comes.
        """
        self.target.room = 0
        for number in range(11):
            self.outlet.write([f"line {number:04}"])
        self.target.room = 1000
        self.clock.advance(RETRY)
        self.assertTrue(self.target.taken.endswith(b"line 0009\n1 dropped\n"))
        self.assertEqual(self.outlet.dropped, 0)

    def test_broken(self) -> None:
        """
        A target that fails is tried again, and loses nothing that still fits.
        """
        self.target.broken = True
        self.outlet.write(["one"])
        self.target.broken = False
        self.clock.advance(RETRY)
        self.assertEqual(self.target.taken, b"one\n")

    def test_replace(self) -> None:
        """
        What was written before goes to the old target as far as it takes it, the rest to the new one.
        """
        old = self.target
        old.room = 4
        self.outlet.write(["one", "two"])
        self.target = SlowTarget()
        self.outlet.replace(self.target)
        self.outlet.write(["three"])
        self.assertEqual((old.taken, old.closed), (b"one\n", True))
        self.assertEqual(self.target.taken, b"two\nthree\n")

    def test_close(self) -> None:
        """
        At the end a slow reader is waited for, and later lines are written at once.
        """
        self.target.room = 4
        self.outlet.write(["one", "two"])
        self.target.on_wait = lambda: setattr(self.target, "room", 100)
        self.outlet.close()
        self.assertEqual(self.target.taken, b"one\ntwo\n")
        self.outlet.write(["late"])
        self.assertEqual(self.target.taken, b"one\ntwo\nlate\n")
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_close_without_reader(self) -> None:
        """
        But not for ever: neither for one who takes nothing, nor for one who is gone.
        """
        self.target.room = 0
        self.outlet.write(["one"])
        self.outlet.close(0.5)
        self.assertEqual(len(self.target.waited), 1)
        self.assertLessEqual(self.target.waited[0], 0.5)
        self.target.broken = True
        self.outlet.close()
        self.assertEqual(len(self.target.waited), 1)
