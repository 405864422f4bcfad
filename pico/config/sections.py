"""
Sections that more than one tree has.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from pico.config.fields import Kind, Setting


class HeaderLists(msgspec.Struct, frozen=True, kw_only=True):
    """
    Headers that the lines show; none if both lists are empty. ``*`` in a name stands for anything.
    """

    allow_list: Annotated[tuple[str, ...], Setting(Kind.WORDS, "Show these headers.")] = ()
    block_list: Annotated[
        tuple[str, ...], Setting(Kind.WORDS, "Show all headers but these.", excludes="allow_list")
    ] = ()


class AccessLog(msgspec.Struct, frozen=True, kw_only=True):
    """
    A line for every request.
    """

    level: Annotated[str, Setting(Kind.LEVEL, "Level of the lines; answers of 500 and more are warnings at least.")] = (
        "info"
    )
    disable: Annotated[bool, Setting(Kind.BOOL, "Write no line.")] = False
    request_headers: HeaderLists = HeaderLists()
    response_headers: HeaderLists = HeaderLists()


def access_log_problems(access_log: AccessLog) -> list[str]:
    """
    What is wrong with an access log's settings as a whole.
    """
    return [
        f"access_log.{name}: set allow_list or block_list, not both"
        for name, lists in (
            ("request_headers", access_log.request_headers),
            ("response_headers", access_log.response_headers),
        )
        if lists.allow_list and lists.block_list
    ]


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
    path: Annotated[str, Setting(Kind.PATH, "File to write to, opened anew on SIGUSR1; standard error when empty.")] = (
        ""
    )
    repeat_limit: Annotated[
        int,
        Setting(
            Kind.COUNT, "How often the same message is written in 10 seconds; more are counted. 0: all are written."
        ),
    ] = 10
    redact: Annotated[
        tuple[str, ...],
        Setting(Kind.WORDS, "Headers and parameters of URLs whose values are hidden; * stands for anything."),
    ] = (
        "*assertion*",
        "*authorization*",
        "*cookie*",
        "*credential*",
        "*jwt*",
        "*key",
        "*passw*",
        "*secret*",
        "*session*",
        "*signature*",
        "*token*",
        "auth",
        "code",
        "pwd",
        "sec-websocket-protocol",
        "sig",
    )
    max_buffered: Annotated[
        int, Setting(Kind.SIZE, "Lines that wait for a slow reader of standard error; more are dropped and counted.")
    ] = 1_048_576
