"""
Trial, with a way to say that nothing may be skipped.

``python -m tests.trial`` takes what ``trial`` takes, and ``--no-skips``. A test that is skipped passes with Trial. On a
machine that has all that tests need, that would hide what is not tested any more.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Sequence
from typing import cast

from twisted.python.usage import UsageError
from twisted.scripts import trial
from twisted.trial.reporter import TestResult


class Options(trial.Options):
    """
    Those of Trial, and one more.
    """

    optFlags = [["no-skips", None, "Fail when a test is skipped"]]


def lacking(result: TestResult, no_skips: bool) -> str:
    """
    What a run in which nothing failed lacks to have passed; nothing if it lacks nothing.

    :param no_skips: whether every test must have run.
    """
    if not result.testsRun:
        return "there is no test in what was named"
    if no_skips and result.skips:
        return "nothing may be skipped here, but this was: " + ", ".join(test.id() for test, _ in result.skips)
    return ""


def stopping(result: TestResult) -> Callable[[int, object], None]:
    """
    What is to be done when the run is interrupted: the test that runs fails, and cleans up. By itself Trial would then
    go on with the next one.
    """

    def interrupted(number: int, frame: object) -> None:
        result.stop()
        raise KeyboardInterrupt

    return interrupted


def main(arguments: Sequence[str]) -> int:
    """
    Run tests.

    :return: the exit status.
    """
    options = Options()
    try:
        options.parseOptions(arguments)
    except UsageError as error:
        print(f"tests.trial: {error}", file=sys.stderr)
        return 2
    make_reporter = options["reporter"]

    def make_stoppable(*arguments: object) -> object:
        reporter = make_reporter(*arguments)
        signal.signal(signal.SIGINT, stopping(reporter))
        return reporter

    if not options["jobs"]:  # else a reactor runs, and stops when it is interrupted
        options["reporter"] = make_stoppable
    result = trial._makeRunner(options).run(trial._getSuite(options))
    if not result.wasSuccessful():
        return 1
    missing = lacking(cast("TestResult", result), bool(options["no-skips"]))
    if missing:
        print(f"FAILED: {missing}", file=sys.stderr)
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
