"""
Values that are made for every request.

Such a class is written out where ``attrs`` would do, because mypyc makes a native class of it: to make one and to read
its attributes then costs a tenth.
"""

from __future__ import annotations

from typing import ClassVar


class Value:
    """
    Compares, and shows itself, by its attributes. It has no hash, for nothing keeps it from being changed.

    :cvar __match_args__: the attributes, in the order of the arguments that it is made of.
    """

    __slots__ = ()
    __match_args__: ClassVar[tuple[str, ...]] = ()

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in self.__match_args__)

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.__match_args__)
        return f"{type(self).__name__}({shown})"
