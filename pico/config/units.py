"""
Durations and sizes as people write them.
"""

from __future__ import annotations

import re

_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|us|µs|s|m|h|d)")
_SECONDS = {"us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]i?)?b?", re.IGNORECASE)
_BYTES = {
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
    seconds = 0.0
    while position < len(text):
        match = _DURATION_PART.match(text, position)
        if match is None:
            break
        seconds += float(match[1]) * _SECONDS[match[2]]
        position = match.end()
    if not text or position < len(text):
        raise ValueError(f"{text!r} is not a duration; write for example 500ms, 10s or 1m30s")
    return seconds


def format_duration(seconds: float) -> str:
    """
    Write seconds in the largest units that fit exactly.
    """
    if seconds == 0:
        return "0"
    if seconds < 1:
        return f"{seconds * 1000:g}ms"
    out = []
    left = seconds
    for unit, size in (("h", 3600), ("m", 60)):
        count = int(left // size)
        if count:
            out.append(f"{count}{unit}")
            left -= count * size
    if left or not out:
        out.append(f"{left:g}s")
    return "".join(out)


def parse_size(text: str) -> int:
    """
    Read ``65536``, ``64KiB``, ``1MB``.

    :return: bytes.
    :raises ValueError: with what would be right.
    """
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not a size; write for example 64KiB, 1MiB or a number of bytes")
    return int(float(match[1]) * _BYTES[(match[2] or "").lower()])


def format_size(size: int) -> str:
    """
    Write bytes in the largest binary unit that fits exactly.
    """
    for unit, factor in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if size and size % factor == 0:
            return f"{size // factor}{unit}"
    return str(size)
