"""
What mypyc is told of classes; without it nothing is said.

This module is not compiled itself: mypyc reads the branch for type checkers, Python the other one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

_Class = TypeVar("_Class", bound=type)

if TYPE_CHECKING:
    from mypy_extensions import mypyc_attr as mypyc_attr
else:

    def mypyc_attr(**_attributes: object) -> Callable[[_Class], _Class]:
        """
        Leave a class as it is.
        """
        return lambda decorated: decorated
