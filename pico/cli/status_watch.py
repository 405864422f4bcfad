"""
Asking again and again.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol, TextIO

import attrs
from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table as RichTable
from rich.text import Text

from pico.cli.status_client import Reply
from pico.cli.status_forms import Form, Rates, RowKey, Table, as_json, as_yaml, rates
from pico.config.units import format_duration
from pico.errors import PicoError

#: Lines of a live screen that are not rows: heading, blank, titles, "and more".
_AROUND = 5

#: Columns of what is not for a terminal: nothing is cut there.
_WIDE = 10_000

#: Blanks between columns.
_GAP = 2

_STYLES = {"active": "green", "leaving": "yellow", "unreachable": "red", "left": "dim"}


@attrs.frozen
class Sample:
    """
    What one question has brought.

    :ivar reply: with the document as its value; ``None`` if there was no answer.
    :ivar error: why there was none.
    :ivar rates: since the last answer.
    """

    reply: Reply | None
    error: str
    rates: Rates


class Screen(Protocol):
    """
    Where samples go.
    """

    def show(self, sample: Sample) -> None: ...


def watch(
    ask: Callable[[], Reply],
    form: Form,
    screen: Screen,
    *,
    interval: float,
    clock: Callable[[], float],
    sleep: Callable[[float], None],
) -> None:
    """
    Ask and show until somebody raises, every so many seconds. A node that does not answer is asked on.
    """
    before: Mapping[tuple[RowKey, str], float] = {}
    asked_before = 0.0
    while True:
        begin = clock()
        try:
            reply = ask()
            document = form.document(reply.value)
        except PicoError as error:
            screen.show(Sample(None, str(error), {}))
        else:
            asked = clock()
            after = form.counters(document)
            grown = rates(before, after, asked - asked_before)
            before, asked_before = after, asked
            screen.show(Sample(attrs.evolve(reply, value=document), "", grown))
        sleep(max(0.0, begin + interval - clock()))


class Documents:
    """
    One document an interval: YAML documents, lines of JSON, or tables.
    """

    def __init__(self, form: Form, output: str, out: TextIO, errors: TextIO) -> None:
        self._form = form
        self._output = output
        self._out = out
        self._errors = errors
        self._shown = 0
        self._error = ""

    def show(self, sample: Sample) -> None:
        """
        Write one; of several errors in a row that are the same only the first.
        """
        if sample.reply is None:
            if sample.error != self._error:
                self._errors.write(f"pico: {sample.error}\n")
                self._errors.flush()
            self._error = sample.error
            return
        self._error = ""
        if self._output == "json":
            text = as_json(sample.reply.value, compact=True)
        elif self._output == "yaml":
            text = ("---\n" if self._shown else "") + as_yaml(sample.reply.value)
        else:
            text = ("\n" if self._shown else "") + table_text(self._form.table(sample.reply, sample.rates))
        self._shown += 1
        self._out.write(text)
        self._out.flush()


class LiveTable:
    """
    A table that is redrawn in place, on the terminal's other screen.
    """

    def __init__(self, form: Form, live: Live, title: str, time_of_day: Callable[[], str]) -> None:
        self._form = form
        self._live = live
        self._title = title
        self._time_of_day = time_of_day
        self._last: Table | None = None
        self._last_at = ""

    def show(self, sample: Sample) -> None:
        """
        Draw; while there is no answer, what was answered last.
        """
        now = self._time_of_day()
        if sample.reply is not None:
            self._last = self._form.table(sample.reply, sample.rates)
            self._last_at = now
        heading = Text(f"{now}  {self._title}", style="bold", no_wrap=True, overflow="ellipsis")
        parts: list[RenderableType] = [heading]
        if sample.error:
            parts.append(Text(sample.error, style="red"))
            if self._last is not None:
                parts.append(Text(f"as it was at {self._last_at}:", style="dim"))
        else:
            parts.append(Text(self._form.note(sample.reply.value) if sample.reply is not None else ""))
        if self._last is not None:
            parts += self._table(self._last)
        self._live.update(Group(*parts), refresh=True)

    def _table(self, table: Table) -> list[RenderableType]:
        room = max(1, self._live.console.height - _AROUND - bool(table.caption))
        rows = table.rows if len(table.rows) <= room else table.rows[: room - 1]
        parts: list[RenderableType] = [Text(table.caption)] if table.caption else []
        parts.append(rich_table(fitting(attrs.evolve(table, rows=rows), self._live.console.width)))
        if len(rows) < len(table.rows):
            parts.append(Text(f"and {len(table.rows) - len(rows)} more", style="dim"))
        return parts


@contextmanager
def live_table(form: Form, where: str, interval: float, time_of_day: Callable[[], str]) -> Iterator[LiveTable]:
    """
    Take the terminal's other screen, and give it back whatever happens.
    """
    console = Console(file=sys.stdout, highlight=False, emoji=False, markup=False)
    title = f"every {format_duration(interval)}, Ctrl-C ends  {where}"
    with Live(console=console, screen=True, auto_refresh=False) as live:
        yield LiveTable(form, live, title, time_of_day)


def table_text(table: Table, *, console: Console | None = None) -> str:
    """
    Write a table as text, without colours and as wide as it is.
    """
    console = console or Console(width=_WIDE, color_system=None, highlight=False, emoji=False, markup=False)
    with console.capture() as captured:
        if table.caption:
            console.print(Text(table.caption))
        console.print(rich_table(fitting(table, console.width)))
    # What stands at the right of the last column is not worth a copy.
    return "".join(line.rstrip() + "\n" for line in captured.get().splitlines())


def fitting(table: Table, width: int) -> Table:
    """
    Leave out columns until the others have room, as far as there are some to spare.
    """
    while table.spare:
        widths = (max(map(cell_len, column)) for column in zip(table.columns, *table.rows, strict=True))
        if sum(widths) + _GAP * (len(table.columns) - 1) <= width:
            break
        table = table.without(table.spare[0])
    return table


def rich_table(table: Table) -> RichTable:
    """
    Make a table that rich can draw.
    """
    drawn = RichTable(box=None, pad_edge=False, header_style="bold", padding=(0, _GAP, 0, 0))
    for title in table.columns:
        drawn.add_column(title, justify="right" if title in table.right else "left", no_wrap=True)
    for row in table.rows:
        drawn.add_row(
            *(
                Text(cell, style=_STYLES.get(cell, "") if title == "STATUS" else "")
                for title, cell in zip(table.columns, row, strict=True)
            )
        )
    return drawn
