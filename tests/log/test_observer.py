"""
Tests for :mod:`pico.log.observer`.
"""

from __future__ import annotations

from collections.abc import Sequence

from twisted.internet.task import Clock
from twisted.logger import ILogObserver, LogEvent, Logger, LogLevel
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from pico.log.levels import Threshold
from pico.log.lines import RECORD, Form, message_of
from pico.log.observer import GATHER, MANY, LogWriter
from pico.log.repeats import FAMILY, WINDOW


class PlainForm:
    """
    Level, subsystem and message.
    """

    def line(self, event: LogEvent, level: str, subsystem: str) -> str:
        return f"{level} {subsystem}: {message_of(event)}"


class BrokenForm:
    """
    Fails.
    """

    def line(self, event: LogEvent, level: str, subsystem: str) -> str:
        raise ValueError("secret")


class Ended:
    """
    A request that changes its mind.
    """

    def __init__(self, text: str) -> None:
        self.text = text

    def __str__(self) -> str:
        return self.text


class LogWriterTests(SynchronousTestCase):
    """
    Events that become lines.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.batches: list[list[str]] = []

    def _writer(
        self,
        level: str = "debug",
        subsystems: tuple[str, ...] = (),
        repeat_limit: int = 0,
        form: Form | None = None,
    ) -> LogWriter:
        writer = LogWriter(
            self._wrote,
            form or PlainForm(),
            threshold=Threshold(level, subsystems),
            clock=self.clock,
            at_turn_end=lambda call: self.clock.callLater(0, call),
            repeat_limit=repeat_limit,
        )
        verifyObject(ILogObserver, writer)
        return writer

    def _wrote(self, lines: Sequence[str]) -> None:
        self.batches.append(list(lines))

    @property
    def lines(self) -> list[str]:
        """
        What was written, once a moment has passed.
        """
        self.clock.advance(GATHER)
        return [line for batch in self.batches for line in batch]

    def test_threshold(self) -> None:
        """
        What is not loud enough is left out, but for subsystems that were named.
        """
        for level, subsystems, expected in (
            ("debug", (), ["debug p: a", "info p: b", "error p: c"]),
            ("info", (), ["info p: b", "error p: c"]),
            ("error", (), ["error p: c"]),
            ("error", ("p",), ["debug p: a", "info p: b", "error p: c"]),
        ):
            self.batches.clear()
            log = Logger(namespace="p", observer=self._writer(level, subsystems))
            log.debug("a")
            log.info("b")
            log.error("c")
            self.assertEqual(self.lines, expected)

    def test_gathered(self) -> None:
        """
        The lines of a moment are written together.
        """
        log = Logger(namespace="p", observer=self._writer())
        log.info("a")
        self.clock.advance(GATHER / 2)
        log.info("b")
        self.assertEqual(self.batches, [])
        self.clock.advance(GATHER / 2)
        self.assertEqual(self.batches, [["info p: a", "info p: b"]])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_urgent(self) -> None:
        """
        Warnings and what is worse are written at the end of the turn, and what came before them first.
        """
        log = Logger(namespace="p", observer=self._writer())
        for say in (log.warn, log.error, log.critical):
            log.debug("a")
            say("b")
            say("c")
            log.info("d")
            self.assertEqual(self.batches, [])
            self.clock.advance(0)
            self.assertEqual([[line[-1] for line in batch] for batch in self.batches], [["a", "b", "c", "d"]])
            self.assertEqual(self.clock.getDelayedCalls(), [])
            self.batches.clear()

    def test_many(self) -> None:
        """
        So are many.
        """
        log = Logger(namespace="p", observer=self._writer())
        for _ in range(MANY - 1):
            log.info("a")
        self.clock.advance(0)
        self.assertEqual(self.batches, [])
        log.info("a")
        self.clock.advance(0)
        self.assertEqual([len(batch) for batch in self.batches], [MANY])

    def test_records_are_late(self) -> None:
        """
        A record of the access log is only made when it is written, and other events at once; in their order.
        """
        ended = Ended("before")
        log = Logger(namespace="p", observer=self._writer())
        log.emit(LogLevel.info, "{log_record}", **{RECORD: ended})
        log.info("{ended}", ended=ended)
        ended.text = "after"
        self.assertEqual(self.lines, ["info p: after", "info p: before"])

    def test_broken(self) -> None:
        """
        An event that cannot be written is written as that, without what was in it.
        """
        writer = self._writer(form=BrokenForm())
        Logger(namespace="p", observer=writer).info("x")
        self.assertEqual(self.lines, ["unloggable event of p: ValueError"])

    def test_bare_event(self) -> None:
        """
        An event without any of the usual fields is one of unknown origin, which is not loud enough.
        """
        self._writer()({})
        self.assertEqual(self.lines, [])
        self._writer(subsystems=("-",))({})
        self.assertEqual(self.lines, ["info -: "])

    def test_folded(self) -> None:
        """
        What is said again and again of an endpoint is counted, and told when ten seconds are over.
        """
        log = Logger(namespace="p", observer=self._writer(repeat_limit=2))
        for number in range(1003):
            log.warn("{endpoint}: down ({number})", endpoint="a", number=number)
        log.warn("{endpoint}: down", endpoint="b")
        log.warn("other", endpoint="a")
        expected = ["warn p: a: down (0)", "warn p: a: down (1)", "warn p: b: down", "warn p: other"]
        self.assertEqual(self.lines, expected)
        self.clock.advance(WINDOW)
        self.assertEqual(self.lines[4:], ["warn p: a: down (2) ... repeated 1,001 times in the last 10 s"])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_folded_by_client(self) -> None:
        """
        Where nothing is said of an endpoint, clients are told apart.
        """
        log = Logger(namespace="p", observer=self._writer(repeat_limit=1))
        for client in ("a", "b", "a"):
            log.info("refused {client}", client=client)
        self.clock.advance(WINDOW)
        told = "info p: refused a ... repeated 1 times in the last 10 s"
        self.assertEqual(self.lines, ["info p: refused a", "info p: refused b", told])

    def test_folded_steadily(self) -> None:
        """
        For as long as it goes on, each window has its few lines and its count, and the timer is one.
        """
        log = Logger(namespace="p", observer=self._writer(repeat_limit=1))
        for _ in range(200):
            log.warn("down")
            self.clock.advance(0.125)
            self.assertLessEqual(len(self.clock.getDelayedCalls()), 1)
        told = "warn p: down ... repeated {} times in the last 10 s"
        self.assertEqual(self.lines[:4], ["warn p: down", told.format(79), "warn p: down", told.format(79)])
        self.assertLessEqual(len(self.lines), 6)

    def test_folded_by_family(self) -> None:
        """
        That it is another endpoint each time does not fill the log either.
        """
        log = Logger(namespace="p", observer=self._writer(repeat_limit=3))
        for number in range(1000):
            log.info("{endpoint}: lost", endpoint=str(number))
        self.assertEqual(len(self.lines), 3 * FAMILY)

    def test_never_folded(self) -> None:
        """
        Lines of the access log and of level debug are written as they come.
        """
        log = Logger(namespace="p", observer=self._writer(repeat_limit=1))
        for _ in range(5):
            log.debug("tick")
            log.emit(LogLevel.warn, "{log_record}", **{RECORD: "request"})
        self.assertEqual(len(self.lines), 10)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_close(self) -> None:
        """
        At the end nothing that was held back is lost, and no timer is left.
        """
        writer = self._writer(repeat_limit=1)
        log = Logger(namespace="p", observer=writer)
        for _ in range(3):
            log.warn("down")
        writer.close()
        log.info("late")
        self.assertEqual(self.batches[1:], [["info p: late"]])
        self.assertEqual(self.lines[1:2], ["warn p: down ... repeated 2 times in the last 10 s"])
        self.assertEqual(self.clock.getDelayedCalls(), [])
