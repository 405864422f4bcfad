"""
Tests for :mod:`pico.log.standard`.
"""

from __future__ import annotations

import logging

from twisted.trial.unittest import SynchronousTestCase

from pico.log.standard import StandardHandler
from tests.log_events import LogEvents


class StandardHandlerTests(SynchronousTestCase):
    """
    Records of Python's own logging.
    """

    def setUp(self) -> None:
        """
        Have a logger that nobody else hears.
        """
        self.log = LogEvents()
        self.logger = logging.Logger("library")
        self.logger.addHandler(StandardHandler(self.log))

    def test_levels(self) -> None:
        """
        Warnings and what is worse become events of the same level.
        """
        for say in (self.logger.debug, self.logger.info, self.logger.warning, self.logger.error, self.logger.critical):
            say("%s and {braces}", "arguments")
        said = "arguments and {braces}"
        self.assertEqual(self.log.said("library"), [f"warn: {said}", f"error: {said}", f"critical: {said}"])

    def test_exception(self) -> None:
        """
        An exception keeps its traceback.
        """
        try:
            raise KeyError("k")
        except KeyError:
            self.logger.exception("broken")
        self.assertIn("KeyError", self.log.events[0]["log_failure"].getTraceback())

    def test_misfit(self) -> None:
        """
        A message whose arguments do not fit is no reason to fall over.
        """
        self.logger.warning("%d", "x")
        self.assertEqual(self.log.said("library"), ["warn: a message that cannot be formatted: '%d'"])
