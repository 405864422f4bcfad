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

    level: Annotated[
        str, Setting(Kind.LEVEL, "Level of the access log; answers of 500 and more are warnings at least.")
    ] = "info"
    disable: Annotated[bool, Setting(Kind.BOOL, "Write no access log.")] = False


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
