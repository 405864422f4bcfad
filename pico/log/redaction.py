"""
What must not be read in a log: values that let somebody in.

Which they are is told by the names that they go by: of a header, of a parameter in a URL's query or path, wherever
the URL stands. User and password in a URL, and what follows ``Bearer`` or ``Basic``, need no name.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final
from urllib.parse import unquote, unquote_plus

#: What stands in the place of a value.
MASK: Final = "********"

#: Names looked up lately; more are forgotten. They come from outside.
_REMEMBERED: Final = 1024

_USER: Final = re.compile(r"//[^/?#\s]*@")
_PARAMETER: Final = re.compile(r"([?&;#])([^=?&;#/\s]+)=([^?&;#\s]*)")
_SCHEME: Final = re.compile(r"((?:^|[,:;='\"])\s*(?:bearer|basic))\s+[^\s,;'\"]+", re.IGNORECASE)

#: How many URLs are looked for within one another.
_DEPTH: Final = 3


class Names:
    """
    A set of names, with ``*`` for anything; capitals do not matter.
    """

    def __init__(self, patterns: Collection[str]) -> None:
        alternatives = (".*".join(map(re.escape, pattern.lower().split("*"))) for pattern in patterns)
        self._pattern = re.compile("|".join(f"(?:{each})" for each in alternatives), re.DOTALL)
        self._empty = not patterns
        self._known: dict[str, bool] = {}

    def __bool__(self) -> bool:
        """
        Whether anything is in it.
        """
        return not self._empty

    def __contains__(self, name: str) -> bool:
        known = self._known.get(name)
        if known is None:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            known = not self._empty and self._pattern.fullmatch(name.lower()) is not None
            self._known[name] = known
        return known


class Redaction:
    """
    Put :data:`MASK` in the place of secrets.
    """

    def __init__(self, names: Collection[str]) -> None:
        """
        :param names: of headers and parameters, with ``*`` for anything.
        """
        self._names = Names(names)

    def header(self, name: str, value: str) -> str:
        """
        A header's value as it may be read.
        """
        return MASK if name in self._names else self.text(value)

    def text(self, text: str) -> str:
        """
        A URL, or another text that may hold some, as it may be read.
        """
        return self._text(text, _DEPTH) if "=" in text or "@" in text or " " in text else text

    def _text(self, text: str, depth: int) -> str:
        if "=" in text and depth:
            text = _PARAMETER.sub(lambda match: self._parameter(match, depth), text)
        if "@" in text:
            text = _USER.sub(f"//{MASK}@", text)
        if " " in text:
            text = _SCHEME.sub(rf"\1 {MASK}", text)
        return text

    def _parameter(self, match: re.Match[str], depth: int) -> str:
        sign, name, value = match.groups()
        before = f"{sign}{name}="
        if value:
            if "%" in name or "+" in name:
                name = unquote_plus(name)
            if name.removesuffix("[]") in self._names:
                return before + MASK
            if "%" in value:
                decoded = unquote(value)
                if self._text(decoded, depth - 1) != decoded:
                    return before + MASK
        return match[0]
