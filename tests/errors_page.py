"""
The page of all error texts: ``python -m tests.errors_page`` writes ``docs/errors.md``.

The texts are found in the code itself, where it refuses something: in calls that make an error or an answer, in tables
of failures, and in functions that name a fault. What a text is filled with at run time is shown as ``…``.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

import attrs
from twisted.web import http

ROOT = Path(__file__).parent.parent

#: Where the page is.
PAGE = ROOT / "docs" / "errors.md"

#: Who answers, in the page's order, and which modules word it.
_PLACES = {
    "Proxy port": ("pico/proxy", "pico/net/http/exchange.py", "pico/net/http/server.py"),
    "Proxy port, what is not HTTP/1.1": ("pico/wire/http1",),
    "Upstream port": ("pico/upstream/port.py", "pico/upstream/asked.py", "pico/wire/websocket/handshake.py"),
    "Agent": ("pico/agent/listener.py",),
    "Admin port, and an agent's own": (
        "pico/admin/port.py",
        "pico/admin/forward.py",
        "pico/admin/orders.py",
        "pico/net/site.py",
    ),
}

#: What refuses: a status, then texts.
_REFUSING = {
    "RemoteProtocolError",
    "_error",
    "client_failed",
    "error_answer",
    "error_page",
    "request_malformed",
}

#: What is said of the texts of a place.
_NOTES = {
    "Proxy port, what is not HTTP/1.1": (
        "With status 400 for a head, `error` is `malformed request`, and what stands here is the `detail`."
    ),
    "Agent": "A node that has another agent asks that one. … is the service's address.",
}

#: Of a message that came back: what a Pico says to itself. Its clients get 502 ``upstream unreachable``.
_OF_RESPONSES = (502, "status line too long")

_HEAD = """\
# Error texts

<!-- Written by `python -m tests.errors_page`; changes by hand are lost. -->

Everything that Pico answers when it refuses or fails, as the code has it. `error` keeps its words, so programs may
compare it; `detail` is for people. … stands for what depends on the case. [Troubleshooting](troubleshooting.md) says
what they mean and what to do, [HTTP](http.md#errors) when which is sent.
"""


@attrs.frozen(order=True)
class ErrorText:
    """
    One of them.
    """

    status: int
    error: str
    detail: str = ""


@cache
def texts() -> dict[str, list[ErrorText]]:
    """
    All of them, by who answers.
    """
    return {
        place: sorted({text for module in modules for path in _files(ROOT / module) for text in _texts_of(path)})
        for place, modules in _PLACES.items()
    }


def page() -> str:
    """
    Word the page.
    """
    parts = [_HEAD]
    for place, found in texts().items():
        with_detail = any(text.detail for text in found)
        note = f"{_NOTES[place]}\n\n" if place in _NOTES else ""
        parts.append(f"\n## {place}\n\n{note}| status | `error` |{' `detail` |' if with_detail else ''}\n")
        parts.append(f"|---|---|{'---|' if with_detail else ''}\n")
        for text in found:
            detail = f" {text.detail} |" if with_detail else ""
            parts.append(f"| {text.status} | `{text.error}` |{detail}\n")
    return "".join(parts)


def _files(path: Path) -> list[Path]:
    return [path] if path.is_file() else sorted(path.glob("*.py"))


def _texts_of(path: Path) -> Iterator[ErrorText]:
    of_responses = path.parent.parent.name == "wire"
    for function in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(function, ast.FunctionDef | ast.Module):
            continue
        reading = _Reading(function)
        for text in reading.texts():
            if not (of_responses and (text.status in _OF_RESPONSES or text.error in _OF_RESPONSES)):
                yield text


class _Reading:
    """
    One function, or what a module says outside of them.
    """

    def __init__(self, function: ast.FunctionDef | ast.Module) -> None:
        self._function = function
        self._nodes = list(_walk(function))
        self._details = _details(self._nodes)
        self._values = {_name(node.targets[0]): node.value for node in self._nodes if isinstance(node, ast.Assign)}

    def texts(self) -> Iterator[ErrorText]:
        for node in self._nodes:
            if isinstance(node, ast.Call) and _name(node.func) in _REFUSING:
                yield from self._wordings(node.args)
            elif isinstance(node, ast.Tuple):
                if any(_constant_status(each) for each in node.elts):
                    yield from self._wordings(node.elts, self._details.get(node, ""))
            elif isinstance(node, ast.Assign) and _name(node.targets[0]) == "host_fault":
                yield from (ErrorText(400, text) for text in self._strings(node.value) if text)
            elif isinstance(node, ast.Return) and node.value is not None and self._names_a_fault():
                yield from (ErrorText(400, text) for text in self._strings(node.value))

    def _names_a_fault(self) -> bool:
        return isinstance(self._function, ast.FunctionDef) and self._function.name == "_fault"

    def _wordings(self, arguments: Sequence[ast.expr], otherwise: str = "") -> Iterator[ErrorText]:
        """
        A status and up to two texts, as they follow each other; a text may be one of several.

        :param otherwise: the second text where there is none.
        """
        status = next((found for found in map(_status, arguments) if found), 0)
        worded = [found for found in map(self._strings, arguments) if found]
        if status and worded:
            detail = next((text for text in (worded[1] if len(worded) > 1 else ()) if text), otherwise)
            yield from (ErrorText(status, error, detail) for error in worded[0] if error)

    def _strings(self, node: ast.expr) -> list[str]:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            return [node.value]
        if isinstance(node, ast.JoinedStr):
            return ["".join(str(each.value) if isinstance(each, ast.Constant) else "…" for each in node.values)]
        if isinstance(node, ast.IfExp):
            return [*self._strings(node.body), *self._strings(node.orelse)]
        if isinstance(node, ast.Name) and node.id in self._values:
            value = self._values[node.id]
            return [] if isinstance(value, ast.Name) else self._strings(value)
        return []


def _walk(node: ast.AST) -> Iterator[ast.AST]:
    """
    What belongs to a function or module itself, and not to functions inside.
    """
    for each in ast.iter_child_nodes(node):
        if not isinstance(each, ast.FunctionDef):
            yield each
            yield from _walk(each)


def _details(nodes: Sequence[ast.AST]) -> dict[ast.Tuple, str]:
    """
    The texts that a second table has for the keys of a table of answers: what is said of whom the answer names.
    """
    tables = [
        node.value
        for node in nodes
        if isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, ast.Dict)
    ]
    rows = [
        (ast.dump(key), value)
        for table in tables
        for key, value in zip(table.keys, table.values, strict=True)
        if key is not None
    ]
    said = {key: value.value for key, value in rows if isinstance(value, ast.Constant) and isinstance(value.value, str)}
    return {value: f"… {said[key]}" for key, value in rows if isinstance(value, ast.Tuple) and key in said}


def _status(node: ast.expr) -> int:
    """
    The status that an expression stands for: itself, or what variables of that name are when a request is read.
    """
    if isinstance(node, ast.Call):
        return 431 if _name(node.func) == "_too_large" else 0
    return _constant_status(node) or (400 if _name(node).lstrip("_") == "status" else 0)


def _constant_status(node: ast.expr) -> int:
    if isinstance(node, ast.Constant) and isinstance(node.value, int) and 400 <= node.value < 600:
        return node.value
    if isinstance(node, ast.Attribute) and _name(node.value) == "http":
        value = getattr(http, node.attr)
        return value if isinstance(value, int) else 0
    return 0


def _name(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
