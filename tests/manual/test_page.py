"""
Tests for reading pages as steps.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.manual.page import Command, CtrlC, File, Given, PageError, Skipped, Step, steps

#: Pages and what their readers do. The first line of each is the third.
_READ: list[tuple[str, list[Step]]] = [
    ("words alone\n", []),
    ("```console\n$ a\n```\n", [Command("p:4", "a")]),
    ("```console\n$ a\nb \n\nc\n$ d\n```\n", [Command("p:4", "a", ("b", "", "c")), Command("p:8", "d")]),
    ("```console\n$ a \\\n  b\nc\n```\n", [Command("p:4", "a \\\n  b", ("c",))]),
    ("1. x\n\n   ```console\n   $ a\n     b\n   ```\n", [Command("p:6", "a", ("  b",))]),
    ("```console\n$ pico server &\nready\n```\n", [Command("p:4", "pico server", ("ready",), terminal="pico")]),
    (
        "<!-- test: terminal t -->\n```console\n$ a\n$ b\nc\n```\n",
        [Command("p:5", "a"), Command("p:6", "b", ("c",), "t")],
    ),
    ("<!-- test: status 1 -->\n<!-- test: retry -->\n\n```console\n$ a\n```\n", [Command("p:7", "a", (), "", 1, True)]),
    ("<!-- test: file x/y.yaml -->\n```yaml\na:\n\n  b\n```\n", [File("p:4", "x/y.yaml", "a:\n\n  b\n")]),
    ("<!-- test: skip needs root -->\n```console\n$ a\n```\n", [Skipped("p:4", "needs root")]),
    ("<!-- test: given x -->\n\n<!-- test: ctrl-c y -->\nwords\n", [Given("p:3", "x"), CtrlC("p:5", "y")]),
    ("<!-- another comment -->\n```text\n$x\n```\n", []),
    ("````text\n```console\n````\n", []),
]

#: Pages that would hide something from the test.
_REFUSED = [
    ("```\n$ a\n```\n", "p:3: what is done with a block of no language?"),
    ("```bash\na\n```\n", "p:3: what is done with a block of bash?"),
    ("```text\n$ a\n```\n", "p:3: what is to be done stands in console blocks and files"),
    ("<!-- test: status 1 -->\n```text\na\n```\n", "p:4: what is to be done stands in console blocks and files"),
    ("```yaml\na: b\n```\n", "p:3: which file is this? (or: why is it skipped?)"),
    ("<!-- test: file x -->\n```console\n$ a\n```\n", "p:4: a console block is no file"),
    ("```console\na\n```\n", "p:4: a command begins with '$ '"),
    ("```console\n```\n", "p:3: an empty block"),
    ("```console\n$ a \\\n```\n", "p:4: the command goes on, and the block does not"),
    ("```console\n$ a\n", "p:3: this block does not end"),
    ("<!-- test: skip -->\n```console\n$ a\n```\n", "p:4: a block that is skipped has a reason, and nothing else"),
    ("<!-- test: terminl t -->\n", "p:3: what is '<!-- test: terminl t -->'?"),
    ("<!-- test: retry -->\nwords\n", "p:4: a block should follow the comment above"),
    ("<!-- test: retry -->\n", "p: a block should follow the last comment"),
]


class StepsTests(SynchronousTestCase):
    """
    A page as its reader's steps.
    """

    def test_read(self) -> None:
        """
        Each block becomes what is done with it; comments say what cannot be seen.
        """
        for text, expected in _READ:
            self.assertEqual(steps("p", f"# P\n\n{text}"), expected, text)

    def test_refused(self) -> None:
        """
        No block is left out silently.
        """
        for text, reason in _REFUSED:
            error = self.assertRaises(PageError, steps, "p", f"# P\n\n{text}")
            self.assertEqual(str(error), reason)
