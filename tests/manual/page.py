"""
A page as what its reader does, one step after the other.

What a reader types stands in ``console`` blocks, behind ``$ ``, and below it what comes of it; a line that ends with a
backslash goes on with the next. A file that he makes stands in a block of the file's language. What only the test has
to know stands in comments before a block, which nobody sees who reads the page:

=================================== ===================================================================================
``<!-- test: file PATH -->``        the block is this file
``<!-- test: terminal NAME -->``    its last command goes on: it has a terminal of its own, until the page ends
``<!-- test: status N -->``         the exit status of each of its commands; 0 without that
``<!-- test: retry -->``            ask again until the answer is what is shown: what is asked for takes its time
``<!-- test: skip REASON -->``      the block is not used; the test prints why
=================================== ===================================================================================

Two of them stand alone: ``<!-- test: ctrl-c NAME -->`` ends what runs in a terminal, and ``<!-- test: given NAME -->``
asks for something that the reader has already.

A block that is none of this must be of a language in which nothing is done (``text``, ``json``, …), so that no command
can be overlooked.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

import attrs

#: Languages of files that a reader makes.
FILES = frozenset({"ini", "nginx", "python", "yaml"})

#: Languages of blocks that are there to be read.
PICTURES = frozenset({"html", "http", "json", "mermaid", "promql", "text"})

_WITH_BLOCK = frozenset({"file", "terminal", "status", "retry", "skip"})
_ALONE = frozenset({"ctrl-c", "given"})

_FENCE = re.compile(r"( *)(`{3,})(.*)")
_COMMENT = re.compile(r"<!-- test: (\S+) ?(.*?) ?-->")


class PageError(Exception):
    """
    A page that cannot be followed; says where and why.
    """


@attrs.frozen
class Command:
    """
    Something to type.

    :ivar where: page and line.
    :ivar expected: lines to see; empty where the page shows none.
    :ivar terminal: where it goes on running; empty if it is to end by itself.
    """

    where: str
    text: str
    expected: tuple[str, ...] = ()
    terminal: str = ""
    status: int = 0
    retry: bool = False


@attrs.frozen
class File:
    """
    A file to make.
    """

    where: str
    path: str
    text: str


@attrs.frozen
class CtrlC:
    """
    A program to end.
    """

    where: str
    terminal: str


@attrs.frozen
class Given:
    """
    Something that is there before.
    """

    where: str
    name: str


@attrs.frozen
class Skipped:
    """
    A block that is not used, and why.
    """

    where: str
    reason: str


Step = Command | File | CtrlC | Given | Skipped


@attrs.frozen
class _Block:
    where: str
    line: int
    language: str
    lines: tuple[str, ...]
    marks: dict[str, str]


def steps(name: str, text: str) -> list[Step]:
    """
    Read a page.

    :param name: of the page, for messages.
    :raises PageError: when there is something in it that would not be tested and does not say why.
    """
    found: list[Step] = []
    for item in _items(name, text):
        if isinstance(item, _Block):
            found += _of_block(item, name)
        else:
            found.append(item)
    return found


def _items(name: str, text: str) -> Iterator[_Block | CtrlC | Given]:
    marks: dict[str, str] = {}
    lines = iter(enumerate(text.splitlines(), 1))
    for number, line in lines:
        where = f"{name}:{number}"
        comment = _COMMENT.fullmatch(line.strip())
        fence = _FENCE.fullmatch(line)
        if comment is not None:
            word, rest = comment[1], comment[2]
            if word == "ctrl-c":
                yield CtrlC(where, rest)
            elif word == "given":
                yield Given(where, rest)
            elif word in _WITH_BLOCK and word not in marks:
                marks[word] = rest
            else:
                raise PageError(f"{where}: what is {line.strip()!r}?")
        elif fence is not None:
            indent, ticks, language = fence.groups()
            inside = []
            for _, each in lines:
                if each.strip() == ticks:
                    break
                inside.append(each.removeprefix(indent))
            else:
                raise PageError(f"{where}: this block does not end")
            yield _Block(where, number, language.strip(), tuple(inside), marks)
            marks = {}
        elif line.strip() and marks:
            raise PageError(f"{where}: a block should follow the comment above")
    if marks:
        raise PageError(f"{name}: a block should follow the last comment")


def _of_block(block: _Block, name: str) -> list[Step]:
    if "skip" in block.marks:
        if not block.marks["skip"] or len(block.marks) > 1:
            raise PageError(f"{block.where}: a block that is skipped has a reason, and nothing else")
        return [Skipped(block.where, block.marks["skip"])]
    if block.language == "console":
        return list(_commands(block, name))
    if block.language in FILES:
        if set(block.marks) != {"file"}:
            raise PageError(f"{block.where}: which file is this? (or: why is it skipped?)")
        return [File(block.where, block.marks["file"], "\n".join(block.lines) + "\n")]
    if block.language not in PICTURES:
        raise PageError(f"{block.where}: what is done with a block of {block.language or 'no language'}?")
    if block.marks or any(line.startswith("$ ") for line in block.lines):
        raise PageError(f"{block.where}: what is to be done stands in console blocks and files")
    return []


def _commands(block: _Block, name: str) -> Iterator[Command]:
    if "file" in block.marks:
        raise PageError(f"{block.where}: a console block is no file")
    index = 0
    while index < len(block.lines):
        where = f"{name}:{block.line + 1 + index}"
        if not block.lines[index].startswith("$ "):
            raise PageError(f"{where}: a command begins with '$ '")
        typed = [block.lines[index].removeprefix("$ ")]
        while typed[-1].endswith("\\"):
            index += 1
            if index == len(block.lines):
                raise PageError(f"{where}: the command goes on, and the block does not")
            typed.append(block.lines[index])
        index += 1
        expected = []
        while index < len(block.lines) and not block.lines[index].startswith("$ "):
            expected.append(block.lines[index].rstrip())
            index += 1
        text, terminal = "\n".join(typed), block.marks.get("terminal", "") if index == len(block.lines) else ""
        if text.endswith(" &"):
            text, terminal = text.removesuffix(" &"), terminal or shlex.split(text, comments=True)[0]
        yield Command(
            where,
            text,
            tuple(expected),
            terminal=terminal,
            status=int(block.marks.get("status", "0")),
            retry="retry" in block.marks,
        )
    if not block.lines:
        raise PageError(f"{block.where}: an empty block")
