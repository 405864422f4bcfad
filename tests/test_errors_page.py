"""
Tests for ``docs/errors.md``, and that each error text is explained.
"""

from __future__ import annotations

import re

from twisted.trial.unittest import SynchronousTestCase

from tests.errors_page import PAGE, ErrorText, page, texts

_DOCS = PAGE.parent

#: Where people look for what a text means.
_EXPLAINING = ("troubleshooting.md", "http.md", "tunnel.md", "admin.md")


class ErrorsPageTests(SynchronousTestCase):
    """
    The page of all error texts.
    """

    def test_is_current(self) -> None:
        """
        It says what the code says. (``python -m tests.errors_page`` writes it anew.)
        """
        self.assertEqual(PAGE.read_text(encoding="utf-8"), page())

    def test_finds_them(self) -> None:
        """
        Each way in which the code words an error is understood.
        """
        found = texts()
        for place, text in (
            ("Proxy port", ErrorText(504, "upstream timeout", "no response began in time (proxy.timeout)")),
            ("Proxy port", ErrorText(404, "not found", "paths below /_pico/ and /_piko/ are reserved")),
            ("Proxy port", ErrorText(413, "request body larger than … bytes")),
            ("Proxy port, what is not HTTP/1.1", ErrorText(400, "more than one Host header")),
            ("Proxy port, what is not HTTP/1.1", ErrorText(400, "folded header line")),
            ("Proxy port, what is not HTTP/1.1", ErrorText(414, "request line too long")),
            ("Proxy port, what is not HTTP/1.1", ErrorText(431, "trailers too large")),
            ("Agent", ErrorText(504, "upstream timeout", "… did not accept a connection in time")),
            ("Agent", ErrorText(502, "upstream unreachable", "… sent something that is not HTTP/1.1")),
            ("Upstream port", ErrorText(503, "node is draining", "dial another node")),
        ):
            self.assertIn(text, found[place])

    def test_explained(self) -> None:
        """
        No text is without a word on what to do about it.
        """
        manual = " ".join(" ".join((_DOCS / name).read_text(encoding="utf-8").split()) for name in _EXPLAINING)
        for text in (text for found in texts().values() for text in found):
            self.assertTrue(
                any(wording in manual for wording in (text.error, text.error.replace("…", "N"), _cut(text.error))),
                f"{text} is explained nowhere",
            )

    def test_exist(self) -> None:
        """
        No answer is explained that is never given.
        """
        known = {text.error.replace("…", "N") for found in texts().values() for text in found}
        manual = (_DOCS / "troubleshooting.md").read_text(encoding="utf-8")
        answers = manual[manual.index("## Answers to clients") : manual.index("## What the agent says")]
        for heading in re.findall(r"^### (`.*)$", answers, re.MULTILINE):
            for text in re.findall(r"`([^`]+)`", heading):
                self.assertTrue(any(each == text or _cut(each) == text for each in known), f"{text} is not in the code")


def _cut(text: str) -> str:
    """
    The beginning of a text that has a colon, as headings have it.
    """
    return f"{text.partition(':')[0]}: …"
