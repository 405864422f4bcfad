"""
What was found about a machine as a page: diagrams in Mermaid, and tables.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from tests.states.explore import Axis, Core, Machine, Map, Outcome, State

_MADE = "Made from the code by `python -m tests.states`; a test compares."

#: Between the sides of a state.
_DOT = " · "


def page(machine: Machine[Core], found: Map) -> str:
    """
    The whole page.
    """
    parts = [f"# {machine.title}", machine.about, _MADE]
    for number, axis in enumerate(machine.axes):
        parts += [f"## {axis.title}", _diagram(axis, number, found), _meanings(axis, number, found)]
    parts += ["## Inputs", _table(("input", "meaning"), ((each.name, each.meaning) for each in machine.inputs))]
    parts += ["## Every state, every input", _LEGEND, _outcomes(machine, found)]
    return "\n\n".join(parts) + "\n"


def index(cores: Iterable[tuple[str, str, str]]) -> str:
    """
    The page about the pages.

    :param cores: name of the page, title and what it is.
    """
    cores = list(cores)
    parts = [
        "# State machines",
        "The pure cores as they are: each was driven by inputs of every kind from its beginning, until no new state "
        "was met. " + _MADE,
        "\n".join(("```{toctree}", ":hidden:", "", *(name for name, _, _ in cores), "```")),
        _table(("core", "what it does"), ((f"[{title}]({name}.md)", about) for name, title, about in cores)),
    ]
    return "\n\n".join(parts) + "\n"


_LEGEND = (
    "`·` changes nothing, `✗` is refused (`LocalProtocolError`, a bug of ours), an empty cell makes no sense there. "
    "Where several stand, it depends on what has gone before."
)


def _reached(number: int, found: Map) -> set[str]:
    return {state[number] for state in found.outcomes}


def _diagram(axis: Axis, number: int, found: Map) -> str:
    """
    Draw one side of the states; what does not move on this side is not drawn.
    """
    edges: dict[tuple[str, str], dict[str, None]] = {}
    for state, row in found.outcomes.items():
        for name, outcomes in row.items():
            for outcome in outcomes:
                if outcome.state and outcome.state[number] != state[number]:
                    edges.setdefault((state[number], outcome.state[number]), {})[name] = None
    order = list(axis.states)
    lines = ["```mermaid", "stateDiagram-v2"]
    lines += [f'    state "{name}" as {_id(name)}' for name in order if _id(name) != name]
    lines += [f"    [*] --> {_id(name)}" for name in dict.fromkeys(state[number] for state in found.starts)]
    for before, after in sorted(edges, key=lambda edge: (order.index(edge[0]), order.index(edge[1]))):
        names = "<br>".join(sorted(edges[before, after]))
        lines.append(f"    {_id(before)} --> {_id(after)}: {names}")
    return "\n".join([*lines, "```"])


def _id(name: str) -> str:
    return re.sub(r"\W+", "_", name)


def _meanings(axis: Axis, number: int, found: Map) -> str:
    reached = _reached(number, found)
    if not reached <= set(axis.states):
        raise AssertionError(f"states without a meaning: {reached - set(axis.states)}")
    return _table(("state", "meaning"), ((f"`{name}`", axis.states[name]) for name in axis.states if name in reached))


def _outcomes(machine: Machine[Core], found: Map) -> str:
    orders = [list(axis.states) for axis in machine.axes]

    def place(state: State) -> list[int]:
        return [order.index(name) for order, name in zip(orders, state, strict=True)]

    columns = [each.name for each in machine.inputs]
    rows = (
        (f"`{_DOT.join(state)}`", *(_cell(state, found.outcomes[state].get(name, set())) for name in columns))
        for state in sorted(found.outcomes, key=place)
    )
    return _table(("state", *columns), rows)


def _cell(state: State, outcomes: set[Outcome]) -> str:
    return "<br>".join(dict.fromkeys(_outcome(state, outcome) for outcome in sorted(outcomes, reverse=True)))


def _outcome(state: State, outcome: Outcome) -> str:
    """
    What became of a state. Sides that stay as they are are not named.
    """
    if not outcome.state:
        return "✗"
    moved = [after if after != before else "=" for before, after in zip(state, outcome.state, strict=True)]
    text = "·" if outcome.state == state else f"`{_DOT.join(moved)}`"
    if not outcome.answer:
        return text
    return outcome.answer if text == "·" else f"{text} {outcome.answer}"


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = list(head)
    lines = [head, ["---"] * len(head), *map(list, rows)]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
