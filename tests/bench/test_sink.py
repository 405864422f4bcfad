"""
Tests for :mod:`pico.bench.sink`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pico.bench.counting import MessageCounter
from pico.bench.sink import ANSWER


class AnswerTests(SynchronousTestCase):
    def test_whole(self) -> None:
        """
        What the sink answers is one message with a body.
        """
        counter = MessageCounter()
        counter.feed(memoryview(ANSWER))
        self.assertEqual((counter.messages, counter.start_line), (1, b"HTTP/1.1 200 OK"))
        self.assertTrue(ANSWER.endswith(b"\r\n\r\ntaken\n"))
