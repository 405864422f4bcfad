"""
What the demo says.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from signal import Signals

import attrs

#: Date, time, level and subsystem stand in front of what a log's line says, and the request's id at its end.
_ACCESS = re.compile(r"\S+ (\S+?)(?:\.\d+)? +\w+ +proxy\.access: (.*?)(?: id=\S+)?")

#: The endpoint that the demo's agent serves.
ENDPOINT = "my-endpoint"


@attrs.frozen
class Style:
    """
    How words are set off on a terminal.

    :ivar color: without it everything is plain text.
    """

    color: bool

    def strong(self, text: str) -> str:
        """
        A heading.
        """
        return self._within("1", text)

    def faint(self, text: str) -> str:
        """
        A remark.
        """
        return self._within("2", text)

    def good(self, text: str) -> str:
        """
        Something that went well.
        """
        return self._within("32", text)

    def notable(self, text: str) -> str:
        """
        Something that is not as usual.
        """
        return self._within("33", text)

    def bad(self, text: str) -> str:
        """
        A failure.
        """
        return self._within("31", text)

    def _within(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.color else text


def wants_color(environment: Mapping[str, str], is_terminal: bool) -> bool:
    """
    Whether to colour: on a terminal that can, unless NO_COLOR is set to anything (no-color.org).
    """
    return is_terminal and not environment.get("NO_COLOR") and environment.get("TERM") != "dumb"


@attrs.frozen
class Example:
    """
    A command to paste.
    """

    title: str
    command: str


def make_examples(proxy_port: int) -> list[Example]:
    """
    The commands that reach the sample service through the tunnel.
    """
    node = f"127.0.0.1:{proxy_port}"
    host = f"{ENDPOINT}.example.com:{proxy_port}"
    return [
        Example("the endpoint named by a header", f'curl http://{node}/ -H "x-pico-endpoint: {ENDPOINT}"'),
        Example("the endpoint named by the host", f"curl --connect-to {host}:{node} http://{host}/"),
        Example(
            "a stream of events, one a second",
            f'curl -N http://{node}/events -H "x-pico-endpoint: {ENDPOINT}"',
        ),
    ]


def make_addresses(proxy: int, upstream: int, admin: int, service: int | None) -> list[tuple[str, str, str]]:
    """
    What listens where: name, URL, and what it is for.

    :param service: where the sample service listens, if there is one.
    """
    addresses = [
        ("proxy", f"http://127.0.0.1:{proxy}", "clients connect here"),
        ("upstream", f"http://127.0.0.1:{upstream}", "agents connect here"),
        ("admin", f"http://127.0.0.1:{admin}", "health, metrics and status"),
    ]
    if service is not None:
        addresses += [
            ("service", f"http://127.0.0.1:{service}", f"what is exposed, as {ENDPOINT}"),
            ("in a browser", f"http://{ENDPOINT}.localhost:{proxy}/", "the service, through a tunnel"),
        ]
    return addresses


def make_own_examples(upstream_port: int, admin_port: int, proxy_port: int) -> list[Example]:
    """
    The commands with which one's own service is exposed, flags left out that say the default.
    """
    url = "" if upstream_port == 8001 else f" --connect.url http://127.0.0.1:{upstream_port}"
    server = "" if admin_port == 8002 else f" --server.url http://127.0.0.1:{admin_port}"
    return [
        Example("what the nodes know of each other", f"pico status cluster nodes{server}"),
        Example("a service", "python3 -m http.server 4000"),
        Example("expose it", f"pico agent --endpoints {ENDPOINT}/localhost:4000{url}"),
        Example("reach it", f'curl http://127.0.0.1:{proxy_port}/ -H "x-pico-endpoint: {ENDPOINT}"'),
    ]


def table_lines(rows: Sequence[Sequence[str]], style: Style) -> list[str]:
    """
    Rows in columns, the first one as a heading; words that say how a node does are coloured.
    """
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for number, row in enumerate(rows):
        paint = style.faint if number == 0 else lambda word: _painted(word, style)
        cells = [paint(word) + " " * (width - len(word)) for word, width in zip(row, widths, strict=True)]
        lines.append("  " + "  ".join(cells).rstrip())
    return lines


def _painted(word: str, style: Style) -> str:
    if word in ("active", "running"):
        return style.good(word)
    if word in ("unreachable", "killed", "ended"):
        return style.bad(word)
    if word in ("leaving", "left", "starting", "unknown"):
        return style.notable(word)
    return word


def address_lines(addresses: Sequence[tuple[str, str, str]], style: Style) -> list[str]:
    """
    The addresses in columns.
    """
    first = max(len(name) for name, _, _ in addresses)
    second = max(len(url) for _, url, _ in addresses)
    return [
        f"  {name:<{first}}  {style.strong(url)}{' ' * (second - len(url))}  {style.faint(remark)}"
        for name, url, remark in addresses
    ]


def example_lines(examples: Sequence[Example], style: Style) -> list[str]:
    """
    The commands, each under a comment, so that all of them can be pasted as they stand.
    """
    lines = []
    for example in examples:
        lines += ["", "  " + style.faint(f"# {example.title}"), f"  {example.command}"]
    return lines


def request_of(line: str) -> str:
    """
    What a line of a node's log says about a request, with the time of day; nothing if it says nothing about one.
    """
    match = _ACCESS.fullmatch(line)
    return f"{match[1]}  {match[2]}" if match is not None else ""


def ending_of(returncode: int) -> str:
    """
    How a process ended, as the end of a sentence about it.
    """
    if returncode >= 0:
        return f"ended with status {returncode}"
    try:
        return f"was ended by {Signals(-returncode).name}"
    except ValueError:
        return f"was ended by signal {-returncode}"


def report_lines(what: str, tail: Sequence[str], style: Style) -> list[str]:
    """
    What went wrong, and the end of what the process had to say.

    :param what: a sentence.
    """
    lines = [style.bad(what)]
    if tail:
        lines += ["The end of its output:", *(f"  {line}" for line in tail)]
    else:
        lines.append("It has written nothing.")
    return lines
