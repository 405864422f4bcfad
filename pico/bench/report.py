"""
The figures as rows, as a table for a terminal, and as JSON.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import attrs

from pico.bench.conditions import Conditions
from pico.bench.figures import Figures, Summary
from pico.bench.measures import GOSSIP, NGINX, TABLES, Measure, Table, Verdict
from pico.bench.plot import plot_lines


@attrs.frozen
class Report:
    """
    A whole run.

    :ivar configs: the configuration files by name.
    :ivar seconds: that it took.
    """

    conditions: Conditions
    measures: Sequence[Measure]
    figures: Figures
    configs: Mapping[str, str]
    seconds: float

    @property
    def measured(self) -> Sequence[Measure]:
        """
        The measures that there are samples of.
        """
        return [measure for measure in self.measures if measure.measured(self.figures)]

    @property
    def tables(self) -> Sequence[Table]:
        """
        The tables that have rows.
        """
        return [table for table in TABLES if self.rows(table)]

    def rows(self, table: Table) -> Sequence[Measure]:
        """
        The measures of a table that there are samples of.
        """
        return [measure for measure in self.measured if measure.table is table]

    @property
    def missed(self) -> Sequence[str]:
        """
        The titles of those whose goal was missed.
        """
        verdicts = ((measure.title.strip(), measure.verdict(self.figures)) for measure in self.measured)
        return [title for title, verdict in verdicts if verdict is Verdict.MISSED]

    def sides(self, table: Table) -> Mapping[str, str]:
        """
        The columns of a table: where nobody's figures are judged alone, those that have any.
        """
        if table.subject:
            return table.sides
        keys = [measure.key for measure in self.rows(table)]
        return {
            side: title for side, title in table.sides.items() if any(self.figures.samples(key, side) for key in keys)
        }

    def repeated(self, table: Table) -> bool:
        """
        Whether anything of a table was measured more than once.
        """
        return any(
            len(self.figures.samples(measure.key, side)) > 1 for measure in self.rows(table) for side in table.subjects
        )

    @property
    def facts(self) -> Sequence[tuple[str, str]]:
        """
        The conditions, and how long it took.
        """
        return [*self.conditions.lines(), ("took", f"{self.seconds:.0f} s")]


Row = Sequence[str]


def median_rows(report: Report, table: Table) -> list[Row]:
    """
    The medians: a row a measure, their head first.
    """
    sides = report.sides(table)
    ratios = ["ratio (least to most)"] if table.subject else []
    rows: list[Row] = [("", "unit", *sides.values(), *ratios, "goal", "")]
    for measure in report.rows(table):
        verdict = measure.verdict(report.figures)
        rows.append(
            (
                measure.title,
                measure.unit,
                *(_median(measure, report.figures.summary(measure.key, side)) for side in sides),
                *([_ratio(measure.ratio(report.figures))] if ratios else []),
                measure.goal.text if measure.goal else "",
                verdict.value if verdict else "",
            )
        )
    return rows


def spread_rows(report: Report, table: Table) -> list[Row]:
    """
    The extremes: least and most of each side, their head first.
    """
    sides = report.sides(table)
    rows: list[Row] = [("", "unit", *sides.values())]
    for measure in report.rows(table):
        spreads = [_spread(measure, report.figures.summary(measure.key, side)) for side in sides]
        rows.append((measure.title, measure.unit, *spreads))
    return rows


def align(rows: Sequence[Row]) -> list[str]:
    """
    Set rows in columns: the first to the left, all others to the right.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if number else cell.ljust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def text_lines(report: Report) -> list[str]:
    """
    The report for a terminal.
    """
    lines = [f"{name:<12}{text}" for name, text in report.facts]
    for table in report.tables:
        lines += ["", table.title]
        if table.subject:
            lines.append(f"Medians; ratio: {table.sides[table.subject]} ÷ {table.sides[NGINX]}, round by round")
        lines += align(median_rows(report, table))
        if report.repeated(table):
            lines += ["", "Least and most", *align(spread_rows(report, table))]
        if table is GOSSIP:
            lines += ["", *plot_lines(report.figures)]
    if report.figures.faults:
        lines += ["", "Something went wrong, so these figures prove nothing:"]
        lines += [f"  {fault}" for fault in report.figures.faults]
    if report.missed:
        lines += ["", f"Missed: {'; '.join(report.missed)}."]
    return lines


def make_json(report: Report) -> str:
    """
    All that is known of a run.
    """
    document = {
        "conditions": attrs.asdict(report.conditions),
        "seconds": round(report.seconds, 1),
        "faults": report.figures.faults,
        "measures": [_measure_document(measure, report.figures) for measure in report.measured],
        "configurations": dict(report.configs),
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _measure_document(measure: Measure, figures: Figures) -> dict[str, object]:
    document: dict[str, object] = {
        "key": measure.key,
        "title": measure.title.strip(),
        "unit": measure.unit,
        "sides": {
            side: attrs.asdict(summary)
            for side in measure.table.sides
            if (summary := figures.summary(measure.key, side)) is not None
        },
    }
    ratio = measure.ratio(figures)
    if ratio is not None:
        document["ratio"] = {"of": measure.table.subject, "to": NGINX, **attrs.asdict(ratio)}
    verdict = measure.verdict(figures)
    if measure.goal is not None and verdict is not None:
        document["goal"] = {**attrs.asdict(measure.goal), "verdict": verdict.value}
    return document


def _median(measure: Measure, summary: Summary | None) -> str:
    return "" if summary is None else measure.show(summary.median)


def _spread(measure: Measure, summary: Summary | None) -> str:
    if summary is None:
        return ""
    return f"{measure.show(summary.minimum)} to {measure.show(summary.maximum)}"


def _ratio(summary: Summary | None) -> str:
    if summary is None:
        return ""
    if len(summary.samples) == 1:
        return f"{summary.median:.2f}"
    return f"{summary.median:.2f} ({summary.minimum:.2f} to {summary.maximum:.2f})"
