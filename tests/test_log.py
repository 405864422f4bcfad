"""
Tests for :mod:`pico.log`.
"""

from __future__ import annotations

import io
import json

from twisted.logger import Logger
from twisted.trial.unittest import SynchronousTestCase

from pico.log import Lines


class LinesTests(SynchronousTestCase):
    """
    Lines for people and for programs.
    """

    def _written(self, level: str = "info", subsystems: tuple[str, ...] = (), *, as_json: bool = False) -> list[str]:
        stream = io.StringIO()
        log = Logger(namespace="proxy", observer=Lines(stream, level=level, subsystems=subsystems, as_json=as_json))
        log.debug("quiet {n}", n=1)
        log.info("said {n}", n=2)
        log.error("bad {missing}")
        return stream.getvalue().splitlines()

    def test_level(self) -> None:
        """
        What is below the level is left out, but for the subsystems that were named.
        """
        self.assertEqual(len(self._written("debug")), 3)
        self.assertEqual(len(self._written("info")), 2)
        self.assertEqual(len(self._written("error")), 1)
        self.assertEqual(len(self._written("error", ("proxy",))), 3)

    def test_text(self) -> None:
        """
        Time, level, subsystem, text; a format that does not fit is no reason to fall over.
        """
        said, bad = self._written()
        self.assertRegex(said, r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d info  proxy: said 2$")
        self.assertIn("error", bad)

    def test_json(self) -> None:
        """
        One object a line, with the fields of the event.
        """
        record = json.loads(self._written(as_json=True)[0])
        self.assertEqual(
            (record["level"], record["subsystem"], record["msg"], record["n"]), ("info", "proxy", "said 2", 2)
        )

    def test_failure(self) -> None:
        """
        A bug keeps its traceback.
        """
        stream = io.StringIO()
        log = Logger(namespace="proxy", observer=Lines(stream))
        try:
            raise KeyError("k")
        except KeyError:
            log.failure("broken")
        self.assertIn("Traceback", stream.getvalue())
