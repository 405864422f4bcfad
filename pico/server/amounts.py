"""
How many there are of something, for people.
"""

from __future__ import annotations


def amount(number: int, what: str) -> str:
    """
    A number and what is counted.

    :param what: one of it; its first word is the noun that gets the plural.
    """
    noun, *rest = what.split(" ")
    return " ".join([str(number), noun if number == 1 else f"{noun}s", *rest])
