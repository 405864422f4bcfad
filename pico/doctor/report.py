"""
Findings for people, and for programs.
"""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Sequence

from pico.doctor.finding import Finding, Level

_COLORS = {Level.OK: "32", Level.WARN: "33", Level.FAIL: "31"}

#: Columns of a subject; longer ones push their text to the right.
_SUBJECT = 24


def lines_of(finding: Finding, *, width: int, color: bool) -> list[str]:
    """
    Word a finding: a line, and below it what to do.

    :param width: columns of the terminal; 0 not to break lines.
    """
    mark = f"{finding.level.value:4}"
    if color:
        mark = f"\x1b[{_COLORS[finding.level]}m{mark}\x1b[0m"
    indent = " " * (4 + 2 + _SUBJECT + 2)
    first = f"{finding.subject:{_SUBJECT}}  {finding.text}"
    room = max(40, width - len(indent)) if width else 0
    lines = _wrapped(first, len(indent) - 6 + room, indent) if room else [first]
    out = [f"{mark}  {lines[0]}", *lines[1:]]
    if finding.advice:
        advice = f"-> {finding.advice}"
        out += [f"{indent}{advice}"] if not room else _wrapped(indent + advice, len(indent) + room, indent + "   ")
    return out


def summary_of(findings: Sequence[Finding]) -> str:
    """
    Sum up.
    """
    counts = Counter(finding.level for finding in findings)
    parts = [f"{counts[Level.OK]} ok"]
    if counts[Level.WARN]:
        parts.append(f"{counts[Level.WARN]} warning{'s' if counts[Level.WARN] > 1 else ''}")
    if counts[Level.FAIL]:
        parts.append(f"{counts[Level.FAIL]} failed")
    return ", ".join(parts)


def as_data(kind: str, file: str, findings: Sequence[Finding]) -> dict[str, object]:
    """
    The same as data.
    """
    counts = Counter(finding.level.value for finding in findings)
    return {
        "kind": kind,
        "file": file,
        "healthy": failed(findings) == 0,
        "counts": {level.value: counts[level.value] for level in Level},
        "findings": [
            {"level": each.level.value, "subject": each.subject, "text": each.text, "advice": each.advice}
            for each in findings
        ],
    }


def failed(findings: Sequence[Finding]) -> int:
    """
    How many will not work.
    """
    return sum(finding.level is Level.FAIL for finding in findings)


def _wrapped(text: str, width: int, indent: str) -> list[str]:
    return textwrap.wrap(
        text, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False, drop_whitespace=True
    )
