"""
The house's walls: which room may import which, read from the source.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

ROOT = Path(__file__).parent.parent / "pico"

#: From the bottom up. A room may import those on lines below its own, and itself; rooms on one line, and nothing
#: above. A name may be a package or a module.
LINES: list[set[str]] = [
    {"errors", "names", "native", "interfaces", "exposition", "metrics", "log"},
    {"wire", "config"},
    {"net"},
    {"auth", "tunnel", "gossip"},
    {"cluster", "client"},
    {"upstream", "agent", "forward"},
    {"proxy", "admin"},
    {"server"},
    {"testing"},
    {"bench", "demo", "doctor"},
    {"cli"},
    {"__main__"},
]

#: Rooms without Twisted, which import nothing of ours but these.
PURE = {"wire", "config"}
PURE_IMPORTS = {"errors", "names"}

#: In other rooms, modules that are not pure; all others of the room know no Twisted, clock and so on either.
SHELLS = {"gossip": {"names", "stream", "udp"}}

#: What the lowest line may import of itself.
LOWEST = {
    "errors": set(),
    "names": set(),
    "native": set(),
    "interfaces": {"names", "errors"},
    "exposition": set(),
    "metrics": {"exposition"},
    "log": {"errors"},
}

#: Rooms whose functions may import: what only one command needs is loaded when it runs.
LATE_IMPORTS = {"cli"}

#: Packages that re-export names.
FACADES = {"client", "testing"}


def _modules() -> Iterator[tuple[str, Path, ast.Module]]:
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        yield parts[0], path, ast.parse(path.read_text(encoding="utf-8"), str(path))


def _imports(tree: ast.AST) -> Iterator[tuple[str, ast.stmt]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            if node.module == "pico":
                for alias in node.names:
                    yield f"pico.{alias.name}", node
            else:
                yield node.module, node


class ImportTests(SynchronousTestCase):
    """
    Imports point down.
    """

    def test_every_room_has_a_line(self) -> None:
        """
        A new room must take its place in the order.
        """
        known = set().union(*LINES)
        rooms = {room for room, _, _ in _modules() if room != "__init__"}
        self.assertEqual(rooms - known, set())

    def test_arrows(self) -> None:
        """
        No room imports one that stands above it or beside it.
        """
        height = {room: number for number, line in enumerate(LINES) for room in line}
        wrong = []
        for room, path, tree in _modules():
            for name, node in _imports(tree):
                parts = name.split(".")
                if parts[0] != "pico" or len(parts) < 2 or parts[1] == room or parts[1].startswith("__"):
                    continue
                other = parts[1]
                if room in LOWEST and other in LOWEST[room]:
                    continue
                if room in PURE and other not in PURE_IMPORTS:
                    wrong.append(f"{path.name}:{node.lineno}: {room} is pure and imports {other}")
                elif room not in height or height.get(other, 99) >= height[room]:
                    wrong.append(f"{path}:{node.lineno}: {room} imports {other}")
        self.assertEqual(wrong, [])

    def test_pure(self) -> None:
        """
        The pure rooms and modules know no Twisted, no clock, no random numbers and no environment.
        """
        forbidden = {"twisted", "zope", "time", "os", "socket", "asyncio", "secrets", "threading"}
        wrong = [
            f"{path}:{node.lineno}: {name}"
            for room, path, tree in _modules()
            if room in PURE or (room in SHELLS and path.stem not in SHELLS[room])
            for name, node in _imports(tree)
            if name.split(".")[0] in forbidden
        ]
        self.assertEqual(wrong, [])

    def test_no_reactor(self) -> None:
        """
        The reactor is given, not imported; only commands fetch it.
        """
        wrong = []
        for room, path, tree in _modules():
            if room in LATE_IMPORTS:
                continue
            for node in ast.walk(tree):
                if isinstance(node, ast.ImportFrom) and node.module == "twisted.internet":
                    wrong += [f"{path}:{node.lineno}" for alias in node.names if alias.name == "reactor"]
        self.assertEqual(wrong, [])

    def test_absolute_and_early(self) -> None:
        """
        Imports are absolute, and stand at the top.
        """
        wrong = []
        for room, path, tree in _modules():
            for node in ast.walk(tree):
                if isinstance(node, ast.ImportFrom) and node.level:
                    wrong.append(f"{path}:{node.lineno}: relative")
                if room not in LATE_IMPORTS and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                    wrong += [
                        f"{path}:{inner.lineno}: within a function"
                        for inner in ast.walk(node)
                        if isinstance(inner, ast.Import | ast.ImportFrom)
                    ]
        self.assertEqual(wrong, [])

    def test_packages_are_empty(self) -> None:
        """
        A package's ``__init__`` holds its docstring and nothing else, but for the public faces.
        """
        wrong = []
        for room, path, tree in _modules():
            if path.name != "__init__.py" or room in FACADES or path.parent == ROOT:
                continue
            if len(tree.body) != 1 or ast.get_docstring(tree) is None:
                wrong.append(str(path))
        self.assertEqual(wrong, [])

    def test_docstrings(self) -> None:
        """
        Every module says what it is for.
        """
        self.assertEqual([str(path) for _, path, tree in _modules() if not ast.get_docstring(tree)], [])
