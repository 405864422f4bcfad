"""
Tests for :mod:`pico.log.levels`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pico.log.levels import LEVELS, Threshold, subsystem_of


class ThresholdTests(SynchronousTestCase):
    """
    Which events are loud enough.
    """

    def _passing(self, threshold: Threshold, subsystem: str) -> list[str]:
        return [level for level in LEVELS if threshold.passes(level, subsystem)]

    def test_level(self) -> None:
        """
        A level lets itself and what is louder pass.
        """
        for number, level in enumerate(LEVELS):
            self.assertEqual(self._passing(Threshold(level), "proxy"), list(LEVELS[number:]))

    def test_subsystems(self) -> None:
        """
        Of a subsystem that is named everything passes, of no other one that begins alike.
        """
        threshold = Threshold("error", ["proxy"])
        self.assertEqual(self._passing(threshold, "proxy"), list(LEVELS))
        self.assertEqual(self._passing(threshold, "proxy.access"), ["error", "critical"])

    def test_foreign(self) -> None:
        """
        Twisted's own events must be warnings, unless they are asked for by name.
        """
        for subsystem in ("twisted.internet.protocol", "-", "log_legacy"):
            self.assertEqual(self._passing(Threshold("debug"), subsystem), ["warn", "error", "critical"])
            self.assertEqual(self._passing(Threshold("error"), subsystem), ["error", "critical"])
        self.assertTrue(Threshold("info", ["log_legacy"]).passes("debug", "log_legacy"))

    def test_unknown_level(self) -> None:
        """
        A level that nobody knows counts as info.
        """
        self.assertTrue(Threshold("info").passes("notice", "x"))
        self.assertFalse(Threshold("warn").passes("notice", "x"))


class SubsystemTests(SynchronousTestCase):
    """
    Who says something.
    """

    def test_names(self) -> None:
        """
        Loggers are called as they call themselves, and classes of ours by their rooms.
        """
        for namespace, subsystem in (
            ("proxy.access", "proxy.access"),
            ("pico.tunnel.session.TunnelSession", "tunnel"),
            ("pico.log", "log"),
            ("pico", "pico"),
            ("picolo.a.b", "picolo.a.b"),
            ("twisted.internet.protocol.Factory", "twisted.internet.protocol.Factory"),
            ("", "-"),
            (None, "-"),
        ):
            self.assertEqual(subsystem_of(namespace), subsystem)
