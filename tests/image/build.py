"""
Does what a Dockerfile says, where there is no Docker.

Each stage has a place of its own: a clean root, or directories of this machine. What is not done is caching, and
keeping the network away.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol, TypeVar

from tests.deploy.clean_root import StepFailed
from tests.deploy.dockerfile import Instruction, Stage, allowed, expand

#: Variables of this machine that lead to package indexes.
_PASSED = ("PIP_INDEX_URL", "PIP_CERT", "https_proxy", "http_proxy", "no_proxy")


class Place(Protocol):
    """
    Where a stage is made; :class:`tests.deploy.clean_root.Root` says what its parts mean.
    """

    variables: dict[str, str]
    directory: str
    user: str

    def run(self, words: Sequence[str]) -> str:
        """
        Run a command to its end.
        """

    def inside(self, name: str) -> Path:
        """
        Where a path of it is on this machine.
        """


AnyPlace = TypeVar("AnyPlace", bound=Place)


def build(stages: Sequence[Stage], context: Path, make_place: Callable[[int], AnyPlace]) -> AnyPlace:
    """
    Make an image.

    :param context: what is sent to the builder, past its ``.dockerignore``.
    :param make_place: makes that of a stage, whose number it is given; it holds what the base image does.
    :return: the last of them.
    """
    ignore = (context / ".dockerignore").read_text(encoding="utf-8").splitlines()
    made: dict[str, AnyPlace] = {}
    for number, stage in enumerate(stages):
        place = made[stage.name or str(number)] = make_place(number)
        for instruction in stage.instructions:
            _do(instruction, place, made, context, ignore)
    return list(made.values())[-1]


def _do(instruction: Instruction, root: Place, made: Mapping[str, Place], context: Path, ignore: Sequence[str]) -> None:
    match instruction.word:
        case "RUN":
            passed = [f"{name}={os.environ[name]}" for name in _PASSED if name in os.environ]
            root.run(["env", *passed, "/bin/sh", "-c", instruction.rest])
        case "ENV":
            for word in instruction.words:
                name, _, value = word.partition("=")
                root.variables[name] = expand(value, root.variables)
        case "WORKDIR":
            root.directory = instruction.rest
            root.inside("").mkdir(parents=True, exist_ok=True)
        case "USER":
            root.user = instruction.rest
        case "COPY":
            *names, target = instruction.words
            for name in names:
                if "from" in instruction.flags:
                    _copy(made[instruction.flags["from"]].inside(name), root, target)
                elif allowed(ignore, name):
                    _copy(context / name, root, target, shutil.ignore_patterns("__pycache__", "*.so", "dropin.cache"))
                else:
                    raise StepFailed(f"line {instruction.line}: {name} is not sent to the builder")
        case _:
            pass  # says how it is run, not what is in it


def _copy(source: Path, root: Place, target: str, ignored: Callable[[str, list[str]], set[str]] | None = None) -> None:
    """
    As ``COPY`` does: of a directory what is in it, of a file itself.
    """
    place = root.inside(target)
    if source == place:
        return
    if source.is_dir():
        shutil.copytree(source, place, symlinks=True, dirs_exist_ok=True, ignore=ignored)
        return
    if target.endswith("/"):
        place.mkdir(parents=True, exist_ok=True)
        place = place / source.name
    shutil.copy2(source, place)
