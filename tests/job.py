"""
One of the jobs that run side by side: ``python -m tests.job NAME COMMAND...``.

What the command says comes between the job's name and how it ended. How it ended is also put into the file that
``CI_ENDED`` names. After ``CI_LIMIT`` seconds it is interrupted, and when it does not heed that, killed.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence

#: Seconds that a job may take, when nothing else is said.
LIMIT = 1800.0

#: Seconds that it may take to end what it has started, when it is interrupted.
GRACE = 30.0


def run(command: Sequence[str], limit: float) -> str:
    """
    Run a command to its end, or to the end of its time.

    :return: what is wrong with how it ended; nothing if nothing is.
    """
    # In a session of its own, so that a signal can be sent to all that it runs, and only by us.
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True) as process:
        try:
            status = process.wait(limit)
        except subprocess.TimeoutExpired:
            _end(process)
            return f"did not end in {limit:g} s"
        except BaseException:
            _end(process)
            raise
    return f"status {status}" if status else ""


def _end(process: subprocess.Popen[bytes]) -> None:
    """
    Interrupt it, for then tests end what they have started; and leave nothing of it.
    """
    os.killpg(process.pid, signal.SIGINT)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(GRACE)
    # Shells have what runs in their background ignore interrupts.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def main(name: str, command: Sequence[str], environment: Mapping[str, str]) -> int:
    """
    Run a job, and say how it went.

    :return: the exit status.
    """
    print(f"== {name}", flush=True)
    began = time.monotonic()
    trouble = run(command, float(environment.get("CI_LIMIT", LIMIT)))
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    took = f"{time.monotonic() - began:4.0f} s, {used.ru_utime + used.ru_stime:4.0f} s of processors"
    how = f"FAILED, {trouble}" if trouble else "passed"
    print(f"== {name} {how}: {took.strip()}", flush=True)
    ended = environment.get("CI_ENDED")
    if ended:
        with open(ended, "a", encoding="utf-8") as file:
            file.write(f"{took}: {name} {how}\n")
    return 1 if trouble else 0


if __name__ == "__main__":
    # make tells of the end of a run in this way.
    signal.signal(signal.SIGTERM, signal.getsignal(signal.SIGINT))
    try:
        sys.exit(main(sys.argv[1], sys.argv[2:], os.environ))
    except KeyboardInterrupt:
        sys.exit(f"== {sys.argv[1]} interrupted")
