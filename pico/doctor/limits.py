"""
May the process open as many files as its settings allow connections?
"""

from __future__ import annotations

from pico.config.files import BESIDES, OpenFiles
from pico.doctor.finding import Finding, fail, ok, warn
from pico.net.files import most_open_files

_SUBJECT = "open files"


def look_at_open_files(needed: OpenFiles) -> list[Finding]:
    """
    Compare the limit of this process, which a service started the same way has as well.
    """
    return [judge_open_files(most_open_files(), needed)]


def judge_open_files(limit: float, needed: OpenFiles) -> Finding:
    """
    Judge a limit.

    :param limit: how many files a program can have open, which raises its own limit as far as it may.
    """
    count = needed.count
    if limit >= count:
        return ok(_SUBJECT, f"{_shown(limit)} allowed, {count:,} needed at most")
    text = f"{_shown(limit)} allowed, but the settings let {count:,} be needed"
    advice = f"raise the limit (systemd: LimitNOFILE={count}; as root: ulimit -n {count}), or lower {needed.settings}"
    # With so few not even the ports and some clients fit.
    return (fail if limit < 2 * BESIDES else warn)(_SUBJECT, text, advice)


def _shown(limit: float) -> str:
    return "any number" if limit == float("inf") else f"{int(limit):,}"
