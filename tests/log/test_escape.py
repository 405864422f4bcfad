"""
Tests for :mod:`pico.log.escape`.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pico.log.escape import cut, printable, text_of

PRINTABLE = [
    ("", ""),
    ("plain text, with spaces", "plain text, with spaces"),
    ("zoë 日本 🎉", "zoë 日本 🎉"),
    ("a\nb", "a\\x0ab"),
    ("a\r\nb\tc", "a\\x0d\\x0ab\\x09c"),
    ("\x1b[2J\x1b]0;title\x07", "\\x1b[2J\\x1b]0;title\\x07"),
    ("\x7f\x9b31m", "\\x7f\\x9b31m"),
    ("left\u202eright\u2028next\u200b\ufeff", "left\\u202eright\\u2028next\\u200b\\ufeff"),
    ("\ud800", "\\ud800"),
    ("\U000e0001", "\\U000e0001"),
]

TEXTS = [
    (b"/plain", "/plain"),
    ("/zoë".encode(), "/zoë"),
    (b"/\xff\xc3", "/\\xff\\xc3"),
]


class EscapeTests(SynchronousTestCase):
    """
    Text for a line.
    """

    def test_printable(self) -> None:
        """
        What is not printable is written as an escape sequence.
        """
        for text, expected in PRINTABLE:
            self.assertEqual(printable(text), expected)

    def test_text_of(self) -> None:
        """
        Bytes are read as UTF-8, and what is none is written out.
        """
        for data, expected in TEXTS:
            self.assertEqual(text_of(data), expected)

    def test_cut(self) -> None:
        """
        What is too long is cut, and shows it.
        """
        self.assertEqual([cut("zoë!", limit) for limit in (3, 4, 5)], ["zoë…", "zoë!", "zoë!"])

    def test_every_character(self) -> None:
        """
        Whatever the character, what comes out is printable, and ASCII comes out as it is.
        """
        for number in range(0x3100):
            char = chr(number)
            if not char.isprintable():
                assert printable(char).isprintable(), number
            elif number < 128:
                assert printable(char) == char

    @given(st.text())
    def test_any_text(self, text: str) -> None:
        """
        So is any text, on one line.
        """
        self.assertTrue(printable(text).isprintable())
        self.assertLessEqual(len(printable(text).splitlines()), 1)
