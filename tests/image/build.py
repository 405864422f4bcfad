"""
Does what a Dockerfile says, where there is no Docker.

Each stage has a root of its own. The base image is what a tar file holds. What is not done is caching, and keeping the
network away.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tests.deploy.clean_root import Root, StepFailed
from tests.deploy.dockerfile import Instruction, Stage, allowed, expand

#: Variables of this machine that lead to package indexes.
_PASSED = ("PIP_INDEX_URL", "PIP_CERT", "https_proxy", "http_proxy", "no_proxy")


def build(stages: Sequence[Stage], context: Path, base: Path, scratch: Path) -> Root:
    """
    Make an image.

    :param context: what is sent to the builder, past its ``.dockerignore``.
    :param base: a tar file that stands for the base image of all stages.
    :param scratch: a directory, for the roots of the stages.
    :return: the last of them.
    """
    ignore = (context / ".dockerignore").read_text(encoding="utf-8").splitlines()
    made: dict[str, Root] = {}
    for number, stage in enumerate(stages):
        root = made[stage.name or str(number)] = Root.unpacked(base, scratch / f"stage-{number}")
        for instruction in stage.instructions:
            _do(instruction, root, made, context, ignore)
    return list(made.values())[-1]


def _do(instruction: Instruction, root: Root, made: Mapping[str, Root], context: Path, ignore: Sequence[str]) -> None:
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


def _copy(source: Path, root: Root, target: str, ignored: Callable[[str, list[str]], set[str]] | None = None) -> None:
    """
    As ``COPY`` does: of a directory what is in it, of a file itself.
    """
    place = root.inside(target)
    if source.is_dir():
        shutil.copytree(source, place, symlinks=True, dirs_exist_ok=True, ignore=ignored)
        return
    if target.endswith("/"):
        place.mkdir(parents=True, exist_ok=True)
        place = place / source.name
    shutil.copy2(source, place)
