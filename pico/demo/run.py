"""
The demo from its first line to its last.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from typing import Protocol, TextIO

from pico.demo.children import Child, Children
from pico.demo.parts import GRACE, NODE, Part, Ports, environment_of, fetch, make_parts
from pico.demo.ports import choose_ports, find_free_port, problem_of_port
from pico.demo.signals import Interruptions
from pico.demo.text import (
    Style,
    address_lines,
    ending_of,
    example_lines,
    make_addresses,
    make_examples,
    report_lines,
    request_of,
    wants_color,
)

#: Seconds that a part may take until it is up.
_PATIENCE = 20.0

#: Seconds that a part may take to end, once its requests have had their time.
_ENDING = 4.0

#: Seconds between two looks at whatever is waited for.
_TURN = 0.1


def run_demo(
    *,
    proxy_port: int = 8000,
    upstream_port: int = 8001,
    admin_port: int = 8002,
    service_port: int = 4000,
    color: bool | None = None,
) -> int:
    """
    Run a node, a sample web service and an agent until Ctrl-C, SIGTERM or SIGHUP.

    Blocks, and must be called in the main thread, because of the signals.

    :param color: ``None`` colours on a terminal, unless NO_COLOR is set.
    :return: the exit status: 0 when it was asked to end, 1 when a part of it failed.
    """
    chosen = choose_ports(
        {"proxy": proxy_port, "upstream": upstream_port, "admin": admin_port, "service": service_port},
        problem_of=problem_of_port,
        find_free=find_free_port,
    )
    if color is None:
        color = wants_color(os.environ, sys.stdout.isatty())
    children = Children(environment_of(os.environ))
    try:
        with Interruptions() as interruptions:
            demo = Demo(
                Ports(**{name: choice.port for name, choice in chosen.items()}),
                [choice.notice for choice in chosen.values() if choice.notice],
                children=children,
                fetch=fetch,
                interrupted=lambda: interruptions.count,
                style=Style(color),
                out=sys.stdout,
            )
            return demo.run()
    finally:
        children.close()


class Family(Protocol):
    """
    What the demo needs of :class:`pico.demo.children.Children`.
    """

    on_line: Callable[[str, str], None]

    def start(self, name: str, command: Sequence[str]) -> Child: ...
    def listen(self, seconds: float) -> None: ...
    def find_ended(self) -> Child | None: ...
    def stop(self, patience: float, hurried: Callable[[], bool]) -> None: ...


class _PartError(Exception):
    """
    A part of the demo is not as it should be.
    """

    def __init__(self, what: str, tail: Sequence[str]) -> None:
        super().__init__(what)
        self.what = what
        self.tail = list(tail)


class Demo:
    """
    Start the parts one after the other, show what can be done with them, and end them.
    """

    def __init__(
        self,
        ports: Ports,
        notices: Sequence[str],
        *,
        children: Family,
        fetch: Callable[[int, str], bytes | None],
        interrupted: Callable[[], int],
        style: Style,
        out: TextIO,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """
        :param notices: what is to be said about the ports.
        :param fetch: gets a port and a path, and returns the body of a good answer, else ``None``.
        :param interrupted: how often the end was asked for.
        """
        self._ports = ports
        self._notices = notices
        self._children = children
        self._fetch = fetch
        self._interrupted = interrupted
        self._style = style
        self._out = out
        self._clock = clock
        self._unheard = False

    def run(self) -> int:
        """
        Do it all.

        :return: the exit status.
        """
        status = 0
        try:
            self._announce()
            for part in make_parts(self._ports):
                self._bring_up(part)
            self._show()
            while True:
                self._wait()
        except KeyboardInterrupt:
            self._say("")
        except _PartError as failed:
            self._say("", *report_lines(failed.what, failed.tail, self._style), "")
            status = 1
        finally:
            self._end()
        return status

    # Inside

    def _announce(self) -> None:
        self._say(self._style.strong("Pico: a node, a sample web service and an agent on this machine"), "")
        if self._notices:
            self._say(*(f"  {self._style.notable(notice)}" for notice in self._notices), "")

    def _bring_up(self, part: Part) -> None:
        """
        Start a part and wait until it is at work.
        """
        since = self._clock()
        self._say(f"  {'starting ' + part.name:<28}", end="")
        child = self._children.start(part.name, part.command)
        while True:
            body = self._fetch(part.port, part.path)
            if body is not None and part.is_up(body):
                break
            self._wait()
            if self._clock() - since > _PATIENCE:
                raise _PartError(f"{part.name} is not ready after {_PATIENCE:.0f} s", child.tail)
        self._say(self._style.good(f"ready after {self._clock() - since:.1f} s"))

    def _show(self) -> None:
        ports = self._ports
        style = self._style
        addresses = make_addresses(ports.proxy, ports.upstream, ports.admin, ports.service)
        self._say("", *address_lines(addresses, style), "", "Paste one of these into another terminal:")
        self._say(*example_lines(make_examples(ports.proxy), style), "")
        self._say("Ctrl-C stops all of it. Requests, as the node sees them:", "")
        self._children.on_line = self._relay

    def _relay(self, name: str, line: str) -> None:
        request = request_of(line) if name == NODE else ""
        if request:
            self._say(f"  {request}")

    def _wait(self) -> None:
        """
        Let a moment pass; leave when the end was asked for, or has come to one of the children.
        """
        if not self._interrupted():
            self._children.listen(_TURN)
        if self._interrupted() or self._unheard:
            raise KeyboardInterrupt
        ended = self._children.find_ended()
        if ended is not None:
            returncode = ended.process.returncode or 0
            raise _PartError(f"{ended.name} {ending_of(returncode)}, unasked", ended.tail)

    def _end(self) -> None:
        self._children.on_line = _ignore
        asked = self._interrupted()
        self._say(self._style.faint("stopping the agent, the node and the sample service"))
        self._children.stop(GRACE + _ENDING, lambda: self._interrupted() > asked)
        self._say(self._style.faint("stopped"))

    def _say(self, *lines: str, end: str = "\n") -> None:
        if self._unheard:
            return
        try:
            for line in lines:
                print(line, end=end, file=self._out)
            self._out.flush()
        except OSError:
            # The terminal or the pipe is gone: nobody to run for.
            self._unheard = True


def _ignore(name: str, line: str) -> None:
    """
    Take no notice.
    """
