"""
Look at many things at once, and wait for none of them for ever.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator

from pico.doctor.finding import Check, Finding, fail

#: Checks that run at a time.
AT_ONCE = 16


def examine(
    checks: Iterable[Check],
    *,
    limit: float,
    begin: Callable[[str], None] = lambda subject: None,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Finding]:
    """
    Run checks, and give their findings in the checks' order.

    :param limit: seconds for each. What has not ended then goes on in a thread that dies with the process.
    :param begin: is told what is waited for.
    """
    waiting = deque(checks)
    running: deque[_Running] = deque()
    while waiting or running:
        while waiting and len(running) < AT_ONCE:
            running.append(_Running(waiting.popleft(), clock))
        first = running.popleft()
        begin(first.subject)
        yield from first.result(limit)


class _Running:
    def __init__(self, check: Check, clock: Callable[[], float]) -> None:
        self.subject = check.subject
        self._check = check
        self._clock = clock
        self._since = clock()
        self._done = threading.Event()
        self._findings: list[Finding] = []
        self._error: BaseException | None = None
        threading.Thread(target=self._look, name=f"doctor: {check.subject}", daemon=True).start()

    def result(self, limit: float) -> list[Finding]:
        if not self._done.wait(max(0.0, self._since + limit - self._clock())):
            advice = "find out why it takes so long (a name server, a packet filter), or allow more with --timeout"
            return [fail(self.subject, f"no result within {limit:g}s", advice)]
        if self._error is not None:
            raise self._error
        return self._findings

    def _look(self) -> None:
        try:
            self._findings = list(self._check.look())
        except BaseException as error:  # whatever it is, it is raised where the result is waited for
            self._error = error
        self._done.set()
