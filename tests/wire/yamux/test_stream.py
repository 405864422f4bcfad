"""
Tests for :mod:`pico.wire.yamux.stream`.
"""

from __future__ import annotations

from itertools import product

from twisted.trial.unittest import SynchronousTestCase

from pico.wire.yamux.stream import TRANSITIONS, Opening, State, Step, Stream


class TransitionTests(SynchronousTestCase):
    """
    The states of a stream.
    """

    def test_every_pair_is_decided(self) -> None:
        """
        A step is taken if the table has it, and changes nothing otherwise.
        """
        for state, step in product(State, Step):
            stream = Stream(2, Opening.AGREED, 0.0)
            stream.state = state
            following = TRANSITIONS.get((state, step))
            self.assertEqual(following is not None, stream.advance(step))
            self.assertIs(following or state, stream.state)

    def test_each_side_ends_once(self) -> None:
        """
        On every way through the table each side ends at most once, and a stream is closed only when both
        have.
        """
        ends: list[list[Step]] = []
        ways: list[tuple[State, list[Step]]] = [(State.OPEN, [])]
        while ways:
            state, way = ways.pop()
            steps = [step for step in Step if (state, step) in TRANSITIONS]
            ways += [(TRANSITIONS[state, step], [*way, step]) for step in steps]
            if not steps:
                self.assertIs(State.CLOSED, state)
                ends.append(way)
        for way in ends:
            self.assertCountEqual(Step, way)
            self.assertLess(way.index(Step.FINISH), way.index(Step.FIN_SENT))
        self.assertEqual(3, len(ends))

    def test_names_itself(self) -> None:
        """
        A stream in a traceback says which and how far it is.
        """
        self.assertEqual("<Stream 2 open, taken>", repr(Stream(2, Opening.AGREED, 0.0)))
