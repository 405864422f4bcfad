"""
Variables in a configuration file.

They are not put into the text of the file, where a value with a colon or a line break would change what the file
says, but into its scalars once it was read. Until then a mark stands for each: a word that no YAML takes for syntax,
even where ``{`` would begin a mapping.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from pico.config.units import shown

#: A dollar sign with what belongs to it: another one, a name in braces, or a brace that nothing closes.
_DOLLAR = re.compile(r"\$(?:(\$)|\{([^}\n]*)(\}?))")
_NAME = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?::(.*))?", re.DOTALL)

#: Two characters for private use: YAML lets them pass, and nothing else means anything by them.
_BEGIN, _END = "\ue000", "\ue001"


class Variables:
    """
    The text of a file with ``${VAR}``, ``${VAR:default}`` and ``$$``, which stands for one ``$``.

    A variable that is set and empty is empty; one that is not set and has no default is a fault.

    :ivar text: with marks.
    """

    def __init__(self, text: str, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._found: list[re.Match[str]] = []
        begin = _BEGIN
        while begin in text:
            begin += _BEGIN
        self._begin = begin
        self._mark = re.compile(f"{begin}([0-9]+){_END}")
        self.text = _DOLLAR.sub(self._note, text)

    def fill(self, scalar: str) -> tuple[str, list[str]]:
        """
        Put the variables' values into a scalar of the marked text.

        :return: it, and what is wrong.
        """
        problems: list[str] = []

        def value(match: re.Match[str]) -> str:
            text, problem = self._value(self._found[int(match[1])])
            if problem:
                problems.append(problem)
            return text

        return self._mark.sub(value, scalar), problems

    def _note(self, match: re.Match[str]) -> str:
        self._found.append(match)
        return f"{self._begin}{len(self._found) - 1}{_END}"

    def _value(self, dollar: re.Match[str]) -> tuple[str, str]:
        if dollar[1]:
            return "$", ""
        name = _NAME.fullmatch(dollar[2])
        if name is None or not dollar[3]:
            written = shown("${" + dollar[2] + dollar[3])
            return "", f"{written} is not ${{VARIABLE}} or ${{VARIABLE:default}}; write $$ for a dollar sign"
        if name[1] in self._environment:
            return self._environment[name[1]], ""
        if name[2] is not None:
            return name[2], ""
        return "", f"the environment variable {name[1]} is not set, and ${{{name[1]}}} has no default"
