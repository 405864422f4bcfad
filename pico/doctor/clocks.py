"""
Is it the time that this machine thinks it is?
"""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from pico.doctor.finding import Finding, fail, ok, warn

_SUBJECT = "clock"

#: Before this there was no Pico.
_EARLIEST = datetime(2024, 4, 1, tzinfo=UTC)

#: Seconds between two clocks that nobody minds.
_TOLERANCE = 60.0

_ADVICE = "set it, and keep it set: timedatectl set-ntp true, chrony, or your hypervisor's means"


def judge_clock(now: float) -> Finding:
    """
    Judge the time by itself.

    :param now: seconds since 1970.
    """
    moment = datetime.fromtimestamp(now, UTC)
    text = f"{moment:%Y-%m-%d %H:%M:%S} UTC"
    if moment < _EARLIEST:
        return fail(_SUBJECT, f"it says {text}", _ADVICE)
    return ok(_SUBJECT, text)


def judge_other_clock(now: float, date: str, whose: str) -> list[Finding]:
    """
    Compare with the time that somebody else has.

    :param date: the value of a Date header; nothing comes of one that is empty or malformed.
    """
    try:
        other = parsedate_to_datetime(date)
    except ValueError:
        return []
    apart = now - other.timestamp()
    if abs(apart) <= _TOLERANCE:
        return []
    text = f"{abs(apart):,.0f}s {'ahead of' if apart > 0 else 'behind'} that of {whose}"
    return [warn(_SUBJECT, text, f"one of them is wrong, and tokens may be refused for it: {_ADVICE}")]
