"""
How soon all nodes know of a change, drawn in characters: a bar for each number of nodes.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

from pico.bench.figures import Figures
from pico.bench.measures import GOSSIP

#: The length of the longest bar.
_WIDTH = 60

#: What is drawn up to the median, to the 99th percentile and to the last change.
_MARKS = (("p50", "█"), ("p99", "▒"), ("last", "·"))

#: The axis ends at a multiple of this.
_STEP = 0.1


def plot_lines(figures: Figures) -> Sequence[str]:
    """
    Draw.

    :return: lines; none without figures.
    """
    rows = []
    for side, title in GOSSIP.sides.items():
        summaries = [figures.summary(f"gossip.{key}", side) for key, _ in _MARKS]
        bounds = [summary.median for summary in summaries if summary is not None]
        if len(bounds) == len(_MARKS):
            rows.append((title, bounds))
    if not rows:
        return []
    # Rounded first: 0.3 may be a little more than three tenths.
    end = max(_STEP, ceil(round(max(bounds[-1] for _, bounds in rows) / _STEP, 6)) * _STEP)
    lines = ["seconds until every node knows of a change: █ half of all, ▒ 99 %, · the last", ""]
    for title, bounds in rows:
        bar = ""
        for bound, (_, mark) in zip(bounds, _MARKS, strict=True):
            bar += mark * (round(bound / end * _WIDTH) - len(bar))
        lines.append(f"{title:>9} |{bar}")
    half = _WIDTH // 2
    lines.append(f"{'':9} +{'-' * (half - 1)}+{'-' * (half - 1)}+")
    lines.append(f"{'':9} 0{f'{end / 2:.2f}':>{half + 1}}{f'{end:.2f} s':>{half + 2}}")
    return lines
