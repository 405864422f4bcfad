"""
What Pico's commands take for granted, said as flags: the usual ports, which a test has elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

#: By command: the flag, other names of it, and the default.
_USUAL: Mapping[str, Sequence[tuple[Sequence[str], str]]] = {
    "server": (
        (("proxy.bind-addr",), ":8000"),
        (("upstream.bind-addr",), ":8001"),
        (("admin.bind-addr",), ":8002"),
        (("cluster.gossip.bind-addr",), ":8003"),
    ),
    "agent": (
        (("connect.url", "server.url"), "http://localhost:8001"),
        (("server.bind-addr",), ":5000"),
    ),
    "demo": (
        (("proxy-port",), "8000"),
        (("upstream-port",), "8001"),
        (("admin-port",), "8002"),
    ),
    "health": ((("server.url",), "http://localhost:8002"),),
    "status": ((("server.url",), "http://localhost:8002"),),
    "drain": ((("server.url",), "http://localhost:8002"),),
    "undrain": ((("server.url",), "http://localhost:8002"),),
}


def unsaid(arguments: Sequence[str], settings_of: Callable[[str], Mapping[str, object]]) -> list[str]:
    """
    What a command line leaves to defaults.

    :param arguments: without the ``pico`` in front.
    :param settings_of: reads a configuration file.
    :return: flags to add, with the ports of pages.
    """
    if not arguments or {"-h", "--help"} & set(arguments):
        return []
    given = {argument.removeprefix("--").partition("=")[0] for argument in arguments if argument.startswith("--")}
    settings = settings_of(_value("--config.path", arguments)) if "config.path" in given else {}
    return [
        f"--{names[0]}={default}"
        for names, default in _USUAL.get(arguments[0], ())
        if not given & set(names) and not any(_has(settings, name) for name in names)
    ]


def _value(flag: str, arguments: Sequence[str]) -> str:
    for index, argument in enumerate(arguments):
        name, equals, value = argument.partition("=")
        if name == flag:
            return value if equals else arguments[index + 1]
    return ""


def _has(settings: Mapping[str, object], name: str) -> bool:
    at: object = settings
    for key in name.replace("-", "_").split("."):
        if not isinstance(at, Mapping) or key not in at:
            return False
        at = at[key]
    return True
