"""
Tests for :mod:`pico.log.start`, on real files.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from twisted.internet.task import Clock
from twisted.logger import Logger, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from pico.errors import ConfigError
from pico.log.observer import GATHER
from pico.log.start import Log, LogSettings, is_journal


class LogTests(SynchronousTestCase):
    """
    A log from its events to its file.
    """

    def setUp(self) -> None:
        """
        Have a directory.
        """
        self.clock = Clock()
        self.path = Path(self.mktemp())

    def _log(self, as_json: bool = False, max_buffered: int = 100_000) -> tuple[Log, Logger]:
        settings = LogSettings(
            path=str(self.path), as_json=as_json, color=True, max_buffered=max_buffered, repeat_limit=0
        )
        log = Log(settings, clock=self.clock, at_turn_end=lambda call: self.clock.callLater(0, call), journal=True)
        self.addCleanup(log.close)
        return log, Logger(namespace="p", observer=log.observer)

    def test_file(self) -> None:
        """
        Lines arrive at the end of the turn, without colours and marks that are for others than files.
        """
        _, logger = self._log()
        logger.warn("one")
        logger.debug("too quiet")
        self.assertEqual(self.path.read_text(), "")
        self.clock.advance(GATHER)
        self.assertRegex(self.path.read_text(), r"\A\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} warn  p:            one\n\Z")

    def test_json(self) -> None:
        """
        So do objects.
        """
        log, logger = self._log(as_json=True)
        logger.info("one")
        log.flush()
        self.assertEqual(json.loads(self.path.read_text())["message"], "one")

    def test_reopen(self) -> None:
        """
        After the file was moved away the next lines are in a new one, and none is lost.
        """
        log, logger = self._log()
        moved = self.path.with_suffix(".1")
        for number in range(10):
            logger.info("{number}", number=number)
            if number == 3:
                self.clock.advance(GATHER)
                self.path.rename(moved)
            if number == 6:
                log.reopen()
        log.close()
        lines = [path.read_text().splitlines() for path in (moved, self.path)]
        self.assertEqual([len(each) for each in lines], [7, 3])
        self.assertEqual([line[-1] for each in lines for line in each], list("0123456789"))

    def test_reopen_fails(self) -> None:
        """
        When there cannot be a new file the old one is written on, and says why.
        """
        log, _ = self._log()
        globalLogPublisher.addObserver(log.observer)
        self.addCleanup(globalLogPublisher.removeObserver, log.observer)
        moved = self.path.with_suffix(".1")
        self.path.rename(moved)
        self.path.mkdir()
        log.reopen()
        log.flush()
        self.assertIn(f"cannot open {self.path}: is a directory; the file that was open", moved.read_text())

    def test_dropped(self) -> None:
        """
        How many lines were dropped is a line of the same form.
        """
        log, logger = self._log(as_json=True, max_buffered=1000)
        for _ in range(100):
            logger.info("x" * 100)
        log.close()
        last = json.loads(self.path.read_text().splitlines()[-1])
        self.assertEqual((last["level"], last["subsystem"], last["dropped"] > 90), ("warn", "log", True))

    def test_cannot_be_opened(self) -> None:
        """
        A file that cannot be opened is named with its setting.
        """
        self.path.mkdir()
        with self.assertRaisesRegex(ConfigError, "^log.path: cannot open .*: is a directory$"):
            self._log()


class JournalTests(SynchronousTestCase):
    """
    Whether somebody writes to the journal.
    """

    def test_stream(self) -> None:
        """
        The variable must name the very stream: children inherit it, and write elsewhere.
        """
        reading, writing = os.pipe()
        self.addCleanup(os.close, reading)
        self.addCleanup(os.close, writing)
        status = os.fstat(writing)
        for stream, expected in (
            (f"{status.st_dev}:{status.st_ino}", True),
            (f"{status.st_dev}:{status.st_ino + 1}", False),
            ("", False),
            ("nonsense", False),
        ):
            self.assertEqual(is_journal(stream, writing), expected, stream)
