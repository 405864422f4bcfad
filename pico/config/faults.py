"""
What is wrong with a configuration.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

import attrs

from pico.errors import ConfigError


@attrs.frozen
class Fault:
    """
    One thing to correct.

    :ivar source: the file, variable or flag.
    :ivar line: in the file; 0 where there is none.
    :ivar path: the setting, dotted.
    :ivar elsewhere: it is not the source that has to be corrected, but a file that is named there.
    """

    source: str
    line: int
    path: str
    problem: str
    elsewhere: bool = False

    @property
    def wrong_use(self) -> bool:
        """
        Whether a flag has to be corrected.
        """
        return not self.line and not self.elsewhere and self.source.startswith("--")

    def __str__(self) -> str:
        where = f"{self.source}:{self.line}" if self.line else self.source
        text = f"{where}: {self.path}: {self.problem}" if self.path else f"{where}: {self.problem}"
        # A key of the file may hold anything.
        return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


class InvalidConfig(ConfigError):
    """
    All that is wrong, at once.

    :ivar wrong_use: whether some of it is in the command line.
    """

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("\n".join(map(str, faults)))
        self.faults = list(faults)
        self.wrong_use = any(fault.wrong_use for fault in faults)


def nearest(word: str, words: Iterable[str]) -> str:
    """
    The known word that is probably meant, or nothing. Upper and lower case, and what stands between the parts of a
    name, make no difference.
    """
    folded: dict[str, str] = {}
    for each in words:
        folded.setdefault(_fold(each), each)
    near = get_close_matches(_fold(word)[:100], folded, n=1, cutoff=0.6)
    return folded[near[0]] if near else ""


def did_you_mean(word: str, words: Iterable[str]) -> str:
    """
    A hint at the nearest known word, or nothing.
    """
    near = nearest(word, words)
    return f" (did you mean {near}?)" if near else ""


def _fold(word: str) -> str:
    return word.lower().replace("-", "_")
