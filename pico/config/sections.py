"""
Sections that more than one tree has.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from pico.config.fields import Kind, Setting


class AccessLog(msgspec.Struct, frozen=True, kw_only=True):
    """
    A line for every request.
    """

    level: Annotated[str, Setting(Kind.LEVEL, "Level of the lines; answers of 500 and more are warnings at least.")] = (
        "info"
    )
    disable: Annotated[bool, Setting(Kind.BOOL, "Write no line.")] = False


class Log(msgspec.Struct, frozen=True, kw_only=True):
    """
    The program's own log.
    """

    level: Annotated[str, Setting(Kind.LEVEL, "Lowest level that is written.")] = "info"
    format: Annotated[str, Setting(Kind.FORMAT, "Lines for people (text) or for programs (json).")] = "text"
    subsystems: Annotated[
        tuple[str, ...],
        Setting(Kind.WORDS, "Subsystems of which every level is written, such as proxy.access."),
    ] = ()
    path: Annotated[str, Setting(Kind.TEXT, "File to write to, opened anew on SIGUSR1; standard error when empty.")] = (
        ""
    )
    repeat_limit: Annotated[
        int,
        Setting(
            Kind.COUNT, "How often the same message is written in 10 seconds; more are counted. 0: all are written."
        ),
    ] = 10
    max_buffered: Annotated[
        int, Setting(Kind.SIZE, "Lines that wait for a slow reader of standard error; more are dropped and counted.")
    ] = 1_048_576
