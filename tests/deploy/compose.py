"""
The demonstration for Compose, read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import yaml

#: Where its files are; paths in them begin there.
DEMO = Path(__file__).parents[2] / "etc" / "demo"


def read(name: str) -> Mapping[str, object]:
    """
    Read one of its files of YAML.
    """
    return mapping(yaml.safe_load((DEMO / name).read_text(encoding="utf-8")))


def services() -> Mapping[str, Mapping[str, object]]:
    """
    What runs, by name.
    """
    return {name: mapping(service) for name, service in mapping(read("compose.yaml")["services"]).items()}


def environment(service: Mapping[str, object]) -> dict[str, str]:
    """
    A service's variables, with the values that they have unless somebody says something else.
    """
    return {name: interpolated(str(value)) for name, value in mapping(service["environment"]).items()}


def interpolated(text: str) -> str:
    """
    As Compose reads it when no variable is set.
    """
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text)


def mapping(value: object) -> Mapping[str, object]:
    """
    What must be a mapping.
    """
    assert isinstance(value, dict), value
    return value


def strings(value: object) -> list[str]:
    """
    What must be a list, as text.
    """
    assert isinstance(value, list), value
    return [str(each) for each in value]
