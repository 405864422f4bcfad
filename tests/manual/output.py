"""
Whether a program has said what a page shows.

What differs from run to run is shown as an example, which stands for all of its kind: a date, a duration, the id of a
node, the port that an agent dials from, the width of a column. ``...`` stands for anything within a line, and as a line
for any lines.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

#: What stands in pages, and what it stands for.
_EXAMPLES = (
    (r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:\.\d+)?Z?", r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:\.\d+)?Z?"),
    (r"\d+(?:\.\d+)?(?:µs|ms)\b", r"\d+(?:\.\d+)?(?:µs|ms|s)"),
    (r"\b(?:pico-\d-)?(?:fuvaflv|rjtlyx1|p3wnt2z)\b", r"(?:pico-\d-)?[a-z0-9]{7}"),
    (r"\b172\.18\.0\.\d+\b", r"[0-9a-f.:\[\]]+"),
    (r"(?<=:)39084\b", r"\d+"),
    (r"\.\.\.", r".*"),
    (r"(?<=\S) +", r" +"),
)
_EXAMPLE = re.compile("|".join(f"(?P<e{number}>{shown})" for number, (shown, _) in enumerate(_EXAMPLES)))


def says(expected: Sequence[str], output: str) -> bool:
    """
    Whether a program that has ended said this and nothing else.
    """
    pattern = "".join(r"(?:.*\n)*?" if line == "..." else f"{_pattern(line)} *\n" for line in _trimmed(expected))
    text = "".join(f"{line.rstrip()}\n" for line in _trimmed(output.splitlines()))
    return re.fullmatch(pattern, text) is not None


def has_said(expected: Sequence[str], output: str) -> bool:
    """
    Whether a program that runs on has said these lines, in this order, whatever it has said between them.
    """
    lines = iter(output.splitlines())
    return all(
        any(re.fullmatch(_pattern(wanted), line.rstrip()) for line in lines)
        for wanted in expected
        if wanted and wanted != "..."
    )


def _trimmed(lines: Iterable[str]) -> list[str]:
    return "\n".join(line.rstrip() for line in lines).strip("\n").split("\n")


def _pattern(line: str) -> str:
    parts = []
    position = 0
    for found in _EXAMPLE.finditer(line):
        assert found.lastgroup is not None
        parts += [re.escape(line[position : found.start()]), _EXAMPLES[int(found.lastgroup[1:])][1]]
        position = found.end()
    return "".join((*parts, re.escape(line[position:])))
