"""
Tests for comparing what programs say with what pages show.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.manual.output import has_said, says

_SAME = [
    ("a\nb", "a\nb\n"),
    ("a", "\na  \n\n"),
    ("a\n\nb", "a\n\nb\n"),
    ("a [b] (c)*", "a [b] (c)*\n"),
    ("...\nb", "b\n"),
    ("a\n...", "a\nx\ny\n"),
    ("a ... c", "a b b c\n"),
    ('{"error":"x",...}', '{"error":"x","detail":"y"}\n'),
    ("2026-11-23 21:54:57 info  x", "2031-01-01 00:00:00.123 info x\n"),
    ('"since":"2026-11-25T12:00:00Z"', '"since":"2031-01-02T03:04:05Z"\n'),
    ("- id: fuvaflv", "- id: ab3d5f7\n"),
    ("addr: 172.18.0.3:8000", "addr: 127.0.0.1:8000\n"),
    ("- 127.0.0.1:39084", "- 127.0.0.1:50123\n"),
    ("took 2.9ms", "took 1.2s\n"),
    ("ID  NAME", "ID      NAME\n"),
    ("a: b", "a:     b\n"),
]

_DIFFERENT = [
    ("a", "a\nb\n"),
    ("a\nb", "a\n"),
    ("a\nb", "b\na\n"),
    ("a", "A\n"),
    ("a", "a b\n"),
    ("a.c", "abc\n"),
    ("a ... c", "a b\nc\n"),
    ("a\n...\nc", "a\nb\n"),
    ("  a", "a\n"),
    ("a b", "ab\n"),
    ("- id: fuvaflv", "- id: ab3d5f\n"),
    ("port 8000", "port 8001\n"),
    ("status 502 2.9ms", "status 500 2.9ms\n"),
]


class SaysTests(SynchronousTestCase):
    """
    Programs that have ended.
    """

    def test_same(self) -> None:
        """
        An example stands for all of its kind, dots for anything.
        """
        for expected, output in _SAME:
            self.assertTrue(says(expected.split("\n"), output), expected)

    def test_different(self) -> None:
        """
        Everything else is as it is shown, to the last line.
        """
        for expected, output in _DIFFERENT:
            self.assertFalse(says(expected.split("\n"), output), expected)


class HasSaidTests(SynchronousTestCase):
    """
    Programs that go on.
    """

    def test_lines(self) -> None:
        """
        The lines of a page come in their order; others may come between them.
        """
        self.assertTrue(has_said(["b", "...", "d"], "a\nb\nc\nd\ne\n"))
        self.assertTrue(has_said([], ""))
        self.assertFalse(has_said(["d", "b"], "a\nb\nc\nd\ne\n"))
        self.assertFalse(has_said(["b", "b"], "a\nb\nc\n"))
        self.assertFalse(has_said(["b"], "ab\n"))
