"""
The pages of ``docs/states`` are what the code does.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pico.wire.yamux.stream import TRANSITIONS, State
from tests.states.catalogue import FOLDER, MACHINES, pages
from tests.states.explore import explore
from tests.states.yamux import STREAM


class PageTests(SynchronousTestCase):
    """
    The pages.
    """

    def test_up_to_date(self) -> None:
        """
        Every page says what is found by driving the core now, and there is no other page.
        """
        made = pages()
        for name, text in made.items():
            path = FOLDER / name
            there = path.read_text(encoding="utf-8") if path.exists() else ""
            self.assertEqual(there, text, f"docs/states/{name} is out of date: run python -m tests.states")
        self.assertEqual({path.name for path in FOLDER.iterdir()}, set(made))

    def test_every_state(self) -> None:
        """
        Every state that a core names can be reached.
        """
        for machine in MACHINES:
            found = explore(machine)
            for number, axis in enumerate(machine.axes):
                self.assertEqual({state[number] for state in found.outcomes}, set(axis.states), machine.name)

    def test_streams_table(self) -> None:
        """
        A stream takes the steps of its table, resets, and no others.
        """
        steps = {(before.name, after.name) for (before, _), after in TRANSITIONS.items()}
        taken = set()
        for state, row in explore(STREAM).outcomes.items():
            for outcomes in row.values():
                for outcome in outcomes:
                    if outcome.state and outcome.state[0] not in (state[0], State.RESET.name):
                        taken.add((state[0], outcome.state[0]))
        self.assertEqual(taken, steps)
