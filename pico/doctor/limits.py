"""
May the process open as many files as its settings allow connections?
"""

from __future__ import annotations

import resource

from pico.doctor.finding import Finding, fail, ok, warn

_SUBJECT = "open files"

#: Files that are open besides connections: ports, logs, the reactor's own.
BESIDES = 32


def look_at_open_files(needed: int, settings: str) -> list[Finding]:
    """
    Compare the limit of this process, which a service started the same way has as well.

    :param needed: connections at a time.
    :param settings: those that say so, for the advice.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return [judge_open_files(_number(soft), _number(hard), needed + BESIDES, settings)]


def judge_open_files(soft: float, hard: float, needed: int, settings: str) -> Finding:
    """
    Judge a limit.

    :param hard: up to which the user may raise it.
    """
    if soft >= needed:
        return ok(_SUBJECT, f"{_shown(soft)} allowed, {needed:,} needed at most")
    text = f"{_shown(soft)} allowed, but the settings let {needed:,} be needed"
    raising = f"ulimit -n {needed}" if hard >= needed else f"as root: ulimit -n {needed}"
    advice = f"raise the limit ({raising}; systemd: LimitNOFILE={needed}), or lower {settings}"
    # With so few not even the ports and some clients fit.
    return (fail if soft < 2 * BESIDES else warn)(_SUBJECT, text, advice)


def _number(limit: int) -> float:
    return float("inf") if limit == resource.RLIM_INFINITY else limit


def _shown(limit: float) -> str:
    return "any number" if limit == float("inf") else f"{int(limit):,}"
