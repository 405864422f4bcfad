"""
Test :mod:`tests.trial`.
"""

from __future__ import annotations

import signal

from twisted.python.usage import UsageError
from twisted.trial.reporter import TestResult
from twisted.trial.runner import TestSuite
from twisted.trial.unittest import SynchronousTestCase

from tests.trial import Options, lacking, stopping


class _Example(SynchronousTestCase):
    def good(self) -> None:
        """
        Pass.
        """

    def left_out(self) -> None:
        """
        Be skipped.
        """
        self.skipTest("there is no moon")


def _result(*names: str) -> TestResult:
    result = TestResult()
    for name in names:
        _Example(name).run(result)
    return result


class LackingTests(SynchronousTestCase):
    """
    Runs in which nothing failed.
    """

    def test_all_ran(self) -> None:
        """
        Nothing is missing.
        """
        self.assertEqual(lacking(_result("good"), no_skips=True), "")

    def test_skipped(self) -> None:
        """
        What was skipped is named, where nothing may be.
        """
        result = _result("good", "left_out")
        self.assertEqual(lacking(result, no_skips=False), "")
        self.assertEqual(
            lacking(result, no_skips=True),
            "nothing may be skipped here, but this was: tests.test_trial._Example.left_out",
        )

    def test_none(self) -> None:
        """
        A module without tests has not passed.
        """
        self.assertEqual(lacking(_result(), no_skips=False), "there is no test in what was named")


class StoppingTests(SynchronousTestCase):
    """
    Interrupts.
    """

    def test_interrupted(self) -> None:
        """
        The test that runs fails, and no other one begins.
        """
        result = TestResult()
        interrupted = stopping(result)

        class Interrupted(SynchronousTestCase):
            def test_1(self) -> None:
                interrupted(signal.SIGINT, None)

            def test_2(self) -> None:
                """
                Not to be run.
                """

        TestSuite([Interrupted("test_1"), Interrupted("test_2")]).run(result)
        self.assertEqual((result.testsRun, len(result.errors)), (1, 1))


class OptionsTests(SynchronousTestCase):
    """
    The command line.
    """

    def test_options(self) -> None:
        """
        Trial's own are taken, and one more.
        """
        options = Options()
        options.parseOptions(["--no-skips", "--random=7", "--jobs=2", "tests.some"])
        self.assertEqual(
            [options[name] for name in ("no-skips", "random", "jobs", "tests")], [True, 7, 2, ["tests.some"]]
        )
        usual = Options()
        usual.parseOptions([])
        self.assertFalse(usual["no-skips"])

    def test_wrong(self) -> None:
        """
        Others are refused.
        """
        self.assertRaises(UsageError, Options().parseOptions, ["--no-sleep"])
