"""
What a query asks for: the metrics it names and the labels it expects of them. Enough of PromQL for that, no more.

https://prometheus.io/docs/prometheus/latest/querying/basics/
"""

from __future__ import annotations

import re
from typing import Final

import attrs

_TOKEN = re.compile(
    r"""
    (?P<text>"(?:[^"\\]|\\.)*")
  | (?P<range>\[[^\]]*\])
  | (?P<selector>\{[^}]*\})
  | (?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*)
  | (?P<number>[0-9.][0-9.a-z]*)
  | (?P<other>\S)
    """,
    re.VERBOSE,
)
_MATCHER = re.compile(r'\s*(\w+)\s*(?:=~|!~|!=|=)\s*"(?:[^"\\]|\\.)*"\s*,?')

#: Words behind which stand labels in parentheses.
_GROUPING: Final = frozenset({"by", "without", "on", "ignoring", "group_left", "group_right"})
_WORDS: Final = frozenset({"and", "or", "unless", "offset", "bool"})


@attrs.define
class Asked:
    """
    :ivar metrics: that are asked for, each with the labels in its braces; one twice where it stands twice.
    :ivar labels: that are grouped or joined by.
    """

    metrics: list[tuple[str, frozenset[str]]] = attrs.Factory(list)
    labels: set[str] = attrs.Factory(set)


def asked(query: str) -> Asked:
    """
    Read a query.

    :raises ValueError: for matchers that cannot be read.
    """
    found = Asked()
    tokens = _tokens(query)
    for index, (kind, text) in enumerate(tokens):
        follows = tokens[index + 1] if index + 1 < len(tokens) else ("", "")
        if kind != "name" or text in _WORDS:
            continue
        if text in _GROUPING:
            found.labels |= _listed(tokens[index + 1 :])
        elif follows[1] not in ("(", "by", "without") and not _in_list(tokens, index):
            found.metrics.append((text, _matchers(follows[1]) if follows[0] == "selector" else frozenset()))
    return found


def _tokens(query: str) -> list[tuple[str, str]]:
    return [(str(each.lastgroup), each[0]) for each in _TOKEN.finditer(query)]


def _listed(tokens: list[tuple[str, str]]) -> set[str]:
    """
    The names in the parentheses that come first, if any do.
    """
    if not tokens or tokens[0][1] != "(":
        return set()
    end = tokens.index(("other", ")"))
    return {text for kind, text in tokens[:end] if kind == "name"}


def _in_list(tokens: list[tuple[str, str]], index: int) -> bool:
    """
    Whether a name stands in parentheses behind a grouping word.
    """
    while index > 0 and (tokens[index][0] == "name" or tokens[index][1] == ","):
        index -= 1
    # Aggregations are written with the labels in front: sum by (le) (...). So what is before "(" decides.
    return tokens[index][1] == "(" and index > 0 and tokens[index - 1][1] in _GROUPING


def _matchers(selector: str) -> frozenset[str]:
    inner = selector[1:-1]
    names = [each[1] for each in _MATCHER.finditer(inner)]
    if _MATCHER.sub("", inner).strip():
        raise ValueError(f"not matchers: {selector}")
    return frozenset(names)
