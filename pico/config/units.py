"""
Durations and sizes as people write them.
"""

from __future__ import annotations

import re

#: Decimal places of numbers: what is written is kept exactly, as a whole number of billionths.
_PLACES = 9
_ONE: int = 10**_PLACES

_NUMBER = r"([0-9]{0,18})(?:\.([0-9]{0,9}))?"
_DURATION_PART = re.compile(rf"(?=\.?[0-9]){_NUMBER}(ns|us|µs|ms|s|m|h|d)")
_NANOSECONDS: dict[str, int] = {
    "ns": 1,
    "us": 10**3,
    "µs": 10**3,
    "ms": 10**6,
    "s": 10**9,
    "m": 60 * 10**9,
    "h": 3600 * 10**9,
    "d": 86400 * 10**9,
}

_SIZE = re.compile(rf"(?=\.?[0-9]){_NUMBER}\s*([kmgt]i?)?b?", re.IGNORECASE)
_BYTES: dict[str, int] = {
    "": 1,
    "k": 10**3,
    "m": 10**6,
    "g": 10**9,
    "t": 10**12,
    "ki": 2**10,
    "mi": 2**20,
    "gi": 2**30,
    "ti": 2**40,
}

#: The longest duration and the largest size that are believed; more is a slip of the keyboard.
MAX_DURATION = 100 * 365 * 86400.0
MAX_SIZE = 2**53


def parse_duration(text: str) -> float:
    """
    Read ``500ms``, ``1m30s``, ``0``.

    :return: seconds.
    :raises ValueError: with what would be right.
    """
    text = text.strip()
    if text == "0":
        return 0.0
    position = 0
    total: int = 0
    while match := _DURATION_PART.match(text, position):
        total += _billionths(match) * _NANOSECONDS[match[3]]
        position = match.end()
    if not text or position < len(text):
        unit = f" (is {text}s meant?)" if _DURATION_PART.fullmatch(f"{text}s") else ""
        raise ValueError(f"{shown(text)} is not a duration; write for example 500ms, 10s or 1m30s{unit}")
    seconds = total / (_ONE * 10**9)
    if seconds > MAX_DURATION:
        raise ValueError(f"{shown(text)} is more than a hundred years")
    return seconds


def format_duration(seconds: float) -> str:
    """
    Write seconds in the largest units that fit exactly.
    """
    left = round(seconds * 10**9)
    if left == 0:
        return "0"
    for unit, size in (("ns", 1), ("us", 10**3), ("ms", 10**6)):
        if left < size * 1000:
            return _decimal(left, size) + unit
    out = []
    for unit, size in (("h", 3600 * 10**9), ("m", 60 * 10**9)):
        count, left = divmod(left, size)
        if count:
            out.append(f"{count}{unit}")
    if left:
        out.append(_decimal(left, 10**9) + "s")
    return "".join(out)


def parse_size(text: str) -> int:
    """
    Read ``65536``, ``64KiB``, ``1MB``.

    :return: bytes.
    :raises ValueError: with what would be right.
    """
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{shown(text)} is not a size; write for example 64KiB, 1MiB or a number of bytes")
    size, rest = divmod(_billionths(match) * _BYTES[(match[3] or "").lower()], _ONE)
    if rest:
        raise ValueError(f"{shown(text)} is not a whole number of bytes")
    if size > MAX_SIZE:
        raise ValueError(f"{shown(text)} is more than this program can count")
    return size


def format_size(size: int) -> str:
    """
    Write bytes in the largest binary unit that fits exactly.
    """
    for unit, factor in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if size and size % factor == 0:
            return f"{size // factor}{unit}"
    return str(size)


def shown(text: str) -> str:
    """
    A value as it stands in messages: quoted, on one line, and not endless.
    """
    return repr(text if len(text) <= 60 else text[:57] + "...")


def _billionths(number: re.Match[str]) -> int:
    whole, places = number[1] or "0", number[2] or ""
    return int(whole) * _ONE + int(places.ljust(_PLACES, "0"))


def _decimal(count: int, size: int) -> str:
    whole, rest = divmod(count, size)
    digits = f"{rest * 10**9 // size:09}".rstrip("0")
    return f"{whole}.{digits}" if digits else str(whole)
