"""
Walk through a machine, breadth first, from its beginnings to wherever its inputs lead.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

import attrs

from pico.errors import LocalProtocolError

Core = TypeVar("Core")

#: What a machine shows of its state: one name for each axis.
State = tuple[str, ...]


class NotNow(Exception):
    """
    An input that makes no sense where the machine is: nobody could send it, or it would mean something else.
    """


@attrs.frozen
class Input(Generic[Core]):
    """
    Something that a machine can be told.

    :ivar meaning: for the reader.
    :ivar ways: to tell it; what becomes of them may differ.
    """

    name: str
    meaning: str
    ways: tuple[Callable[[Core], object], ...]


@attrs.frozen
class Axis:
    """
    One side of a state, drawn by itself.

    :ivar states: what each name means, in the order of the page.
    """

    title: str
    states: dict[str, str]


@attrs.frozen
class Machine(Generic[Core]):
    """
    A core, and how to drive it.

    :ivar name: of its page.
    :ivar about: the page's first words.
    :ivar starts: its beginnings.
    :ivar state: reads what the page shows.
    :ivar hidden: reads what else decides how it goes on, so that every such case is walked through.
    :ivar answer: an input's result in few words; empty for none.
    """

    name: str
    title: str
    about: str
    axes: tuple[Axis, ...]
    starts: tuple[Callable[[], Core], ...]
    state: Callable[[Core], State]
    hidden: Callable[[Core], object]
    inputs: tuple[Input[Core], ...]
    answer: Callable[[object], str] = lambda result: ""


@attrs.frozen(order=True)
class Outcome:
    """
    What became of an input.

    :ivar state: afterwards; nothing if it was refused.
    """

    state: State
    answer: str


@attrs.frozen
class Map:
    """
    All that was found.

    :ivar starts: the first states.
    :ivar outcomes: by state and the input's name; nothing stands there for what makes no sense.
    """

    starts: tuple[State, ...]
    outcomes: dict[State, dict[str, set[Outcome]]]


#: A machine that takes more steps than this has no small number of states: ``hidden`` reads too much.
_MAX_CASES = 5_000


def explore(machine: Machine[Core]) -> Map:
    """
    Try every input in every case that can be reached. A core is never copied: each case is reached anew.
    """
    outcomes: dict[State, dict[str, set[Outcome]]] = {}
    seen: set[object] = set()
    starts: dict[State, None] = {}
    waiting: deque[tuple[Callable[[], Core], tuple[Callable[[Core], object], ...]]] = deque()

    def arrive(core: Core, start: Callable[[], Core], path: tuple[Callable[[Core], object], ...]) -> None:
        case = (machine.state(core), machine.hidden(core))
        if case not in seen:
            seen.add(case)
            waiting.append((start, path))

    def again(start: Callable[[], Core], path: tuple[Callable[[Core], object], ...]) -> Core:
        core = start()
        for way in path:
            way(core)
        return core

    for start in machine.starts:
        core = start()
        starts[machine.state(core)] = None
        arrive(core, start, ())
    while waiting:
        if len(seen) > _MAX_CASES:
            raise AssertionError(f"{machine.name} has no end")
        start, path = waiting.popleft()
        before = machine.state(again(start, path))
        row = outcomes.setdefault(before, {})
        for each in machine.inputs:
            for way in each.ways:
                core = again(start, path)
                try:
                    answer = machine.answer(way(core))
                except NotNow:
                    continue
                except LocalProtocolError:
                    row.setdefault(each.name, set()).add(Outcome((), "refused"))
                    continue
                row.setdefault(each.name, set()).add(Outcome(machine.state(core), answer))
                arrive(core, start, (*path, way))
    return Map(tuple(starts), outcomes)
