"""
A Dockerfile as its stages and instructions.

Pure. What Pico's own file does not use (here-documents, ``ONBUILD``, other escapes) is an error, so that nothing is
passed over.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping, Sequence

import attrs

#: Instructions that are understood.
WORDS = frozenset(
    ["ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "RUN", "STOPSIGNAL", "USER", "WORKDIR"]
)

_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")


class DockerfileError(Exception):
    """
    What cannot be understood; says where.
    """


@attrs.frozen
class Instruction:
    """
    One instruction.

    :ivar flags: those at its beginning, without their dashes.
    :ivar rest: what follows them.
    """

    line: int
    word: str
    flags: Mapping[str, str]
    rest: str

    @property
    def words(self) -> list[str]:
        """
        What follows, as words; those of the JSON form if it is that.
        """
        if self.rest.startswith("["):
            return [str(word) for word in json.loads(self.rest)]
        return shlex.split(self.rest)


@attrs.frozen
class Stage:
    """
    What begins with ``FROM``.
    """

    base: str
    name: str
    instructions: tuple[Instruction, ...]

    def all(self, word: str) -> list[Instruction]:
        """
        Its instructions of one kind.
        """
        return [instruction for instruction in self.instructions if instruction.word == word]

    def last(self, word: str) -> Instruction:
        """
        The one that counts.

        :raises DockerfileError: there is none.
        """
        found = self.all(word)
        if not found:
            raise DockerfileError(f"stage {self.name or self.base} has no {word}")
        return found[-1]


def parse(text: str) -> list[Stage]:
    """
    Read a Dockerfile.

    :raises DockerfileError: it has something that is not understood.
    """
    arguments: dict[str, str] = {}
    stages: list[Stage] = []
    for instruction in _instructions(text):
        if instruction.word == "FROM":
            base, *named = expand(instruction.rest, arguments).split()
            stages.append(Stage(base, named[1] if named else "", ()))
        elif stages:
            last = stages[-1]
            stages[-1] = attrs.evolve(last, instructions=(*last.instructions, instruction))
        elif instruction.word == "ARG":
            name, _, value = instruction.rest.partition("=")
            arguments[name] = value
        else:
            raise DockerfileError(f"line {instruction.line}: {instruction.word} before FROM")
    return stages


def expand(text: str, variables: Mapping[str, str]) -> str:
    """
    Put values into a text; what has none is empty.
    """
    return _VARIABLE.sub(lambda match: variables.get(match[1] or match[2], ""), text)


def allowed(ignore: Sequence[str], path: str) -> bool:
    """
    Whether a file or directory gets to the builder, past the lines of a ``.dockerignore`` that forbids everything
    (``*``) but what it names (``!path``). Patterns of files are not looked at.
    """
    return any(path == line[1:] or path.startswith(line[1:] + "/") for line in ignore if line.startswith("!"))


def _instructions(text: str) -> list[Instruction]:
    found: list[Instruction] = []
    begin, held = 0, ""
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        begin = begin if held else number
        if line.endswith("\\"):
            held += line[:-1].rstrip() + " "
            continue
        found.append(_instruction(begin, held + line))
        held = ""
    if held:
        raise DockerfileError(f"line {begin}: it has no end")
    return found


def _instruction(line: int, text: str) -> Instruction:
    word, _, rest = text.partition(" ")
    if word not in WORDS or "<<" in rest:
        raise DockerfileError(f"line {line}: {text!r} is not understood")
    flags: dict[str, str] = {}
    rest = rest.strip()
    while rest.startswith("--"):
        flag, _, rest = rest.partition(" ")
        name, _, value = flag[2:].partition("=")
        flags[name], rest = value, rest.strip()
    return Instruction(line, word, flags, rest)
