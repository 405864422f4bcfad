"""
The demo from its first line to its last.
"""

from __future__ import annotations

import os
import random
import secrets
import string
import sys
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from pico.demo.children import Child, Children
from pico.demo.keys import Keys
from pico.demo.parts import CLUSTER_NODES, GRACE, Node, Part, Plan, Ports, Row, Stage, environment_of, fetch, rows_of
from pico.demo.ports import choose_ports, find_free_port, node_hosts, problem_of_port
from pico.demo.screen import Screen
from pico.demo.signals import Interruptions
from pico.demo.text import (
    Style,
    address_lines,
    ending_of,
    example_lines,
    make_addresses,
    make_examples,
    make_own_examples,
    report_lines,
    request_of,
    table_lines,
    wants_color,
)

#: Nodes at most: there is a digit for each.
MAX_NODES = 9

_HOST = "127.0.0.1"

#: The ports of a node, and the usual one of the last.
_OF_A_NODE = ("proxy", "upstream", "admin", "gossip")
_GOSSIP = 8003

#: Seconds that a part may take until it is up.
_PATIENCE = 20.0

#: Seconds that a part may take to end, once its requests have had their time.
_ENDING = 4.0

#: Seconds between two looks at whatever is waited for.
_TURN = 0.1

#: Seconds between two questions about the nodes.
_REFRESH = 0.5


def run_demo(
    *,
    nodes: int = 3,
    sample: bool = True,
    proxy_port: int = 8000,
    upstream_port: int = 8001,
    admin_port: int = 8002,
    service_port: int = 4000,
    color: bool | None = None,
) -> int:
    """
    Run nodes behind a load balancer, a sample web service and an agent until Ctrl-C, SIGTERM or SIGHUP.

    Blocks, and must be called in the main thread, because of the signals.

    :param nodes: from 1 to :data:`MAX_NODES`.
    :param sample: whether to run the service and the agent.
    :param color: ``None`` colours on a terminal, unless NO_COLOR is set.
    :return: the exit status: 0 when it was asked to end, 1 when a part of it failed.
    """
    wanted = {"proxy": proxy_port, "upstream": upstream_port, "admin": admin_port}
    if sample:
        wanted["service"] = service_port
    hosts = node_hosts(nodes)
    # With addresses of their own the nodes have the same ports as the balancer; else each has others.
    inner = {"gossip": _GOSSIP} if hosts else {f"{name} {each}": 0 for each in range(nodes) for name in _OF_A_NODE}
    chosen = choose_ports(
        {**wanted, **inner},
        problem_of=lambda port: problem_of_port(port, [_HOST, *hosts]),
        find_free=lambda: find_free_port([_HOST, *hosts]),
    )
    plan = Plan(
        Ports(*(chosen[name].port if name in chosen else 0 for name in ("proxy", "upstream", "admin", "service"))),
        [
            Node(
                number + 1,
                make_id(number + 1),
                hosts[number] if hosts else _HOST,
                *(chosen[name if hosts else f"{name} {number}"].port for name in _OF_A_NODE),
            )
            for number in range(nodes)
        ],
        sample,
    )
    terminal = sys.stdout.isatty()
    if color is None:
        color = wants_color(os.environ, terminal)
    children = Children(environment_of(os.environ, secrets.token_urlsafe(32)))
    try:
        with Interruptions() as interruptions, Keys() as keys:
            demo = Demo(
                plan,
                [choice.notice for choice in chosen.values() if choice.notice],
                children=children,
                fetch=fetch,
                interrupted=lambda: interruptions.count,
                wishes=lambda: keys.take() + interruptions.take(),
                style=Style(color),
                screen=Screen(sys.stdout, live=terminal and os.environ.get("TERM") != "dumb"),
                keys=keys.listening,
            )
            return demo.run()
    finally:
        children.close()


def make_id(number: int) -> str:
    """
    Make up the name of a node.
    """
    return f"pico-{number}-{''.join(random.choices(string.ascii_lowercase + string.digits, k=7))}"


class Family(Protocol):
    """
    What the demo needs of :class:`pico.demo.children.Children`.
    """

    on_line: Callable[[str, str], None]

    def start(self, name: str, command: Sequence[str]) -> Child: ...
    def listen(self, seconds: float) -> None: ...
    def find_ended(self) -> Child | None: ...
    def kill(self, child: Child) -> None: ...
    def forget(self, child: Child) -> None: ...
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

    Once everything runs a node may die, by a key, by a signal or by itself: that is what a cluster is for. Of all
    other parts the end is a failure.
    """

    def __init__(
        self,
        plan: Plan,
        notices: Sequence[str],
        *,
        children: Family,
        fetch: Callable[[tuple[str, int], str], bytes | None],
        interrupted: Callable[[], int],
        wishes: Callable[[], str] = lambda: "",
        style: Style,
        screen: Screen,
        keys: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """
        :param notices: what is to be said about the ports.
        :param fetch: gets an address and a path, and returns the body of a good answer, else ``None``.
        :param interrupted: how often the end was asked for.
        :param wishes: keys since the last call: a node's number kills it or starts it again; ``k`` kills one, ``s``
            starts all that are down; ``q`` ends the demo.
        :param keys: whether there is somebody to tell about keys.
        """
        self._plan = plan
        self._notices = notices
        self._children = children
        self._fetch = fetch
        self._interrupted = interrupted
        self._wishes = wishes
        self._style = style
        self._screen = screen
        self._say = screen.say
        self._keys = keys
        self._clock = clock
        #: The nodes that run, by number.
        self._running: dict[int, Child] = {}
        #: How the others ended.
        self._ended: dict[int, str] = {}
        self._killed = 0
        self._serving = False
        self._refreshed = 0.0

    def run(self) -> int:
        """
        Do it all.

        :return: the exit status.
        """
        status = 0
        try:
            self._announce()
            for stage in self._plan.stages():
                self._bring_up(stage)
            self._show()
            while True:
                self._wait()
                self._grant()
                self._refresh()
        except KeyboardInterrupt:
            self._screen.leave()
            self._say("")
        except _PartError as failed:
            self._screen.leave()
            self._say("", *report_lines(failed.what, failed.tail, self._style), "")
            status = 1
        finally:
            self._end()
        return status

    # Inside

    def _announce(self) -> None:
        sample = ", a sample web service and an agent" if self._plan.sample else ""
        self._say(
            self._style.strong(f"Pico: {self._plan.nodes_name} behind a load balancer{sample} on this machine"), ""
        )
        if self._notices:
            self._say(*(f"  {self._style.notable(notice)}" for notice in self._notices), "")

    def _bring_up(self, stage: Stage) -> None:
        """
        Start what belongs together and wait until it is at work.
        """
        since = self._clock()
        self._say(f"  {'starting ' + stage.name:<28}", end="")
        waiting = [(part, self._start(part)) for part in stage.parts]
        while waiting:
            part, child = waiting[0]
            body = self._fetch(part.address, part.path)
            if body is not None and part.is_up(body):
                del waiting[0]
                continue
            self._wait()
            if self._clock() - since > _PATIENCE:
                raise _PartError(f"{part.name} is not ready after {_PATIENCE:.0f} s", child.tail)
        self._say(self._style.good(f"ready after {self._clock() - since:.1f} s"))

    def _start(self, part: Part) -> Child:
        child = self._children.start(part.name, part.command)
        for node in self._plan.nodes:
            if node.name == part.name:
                self._running[node.number] = child
                self._ended.pop(node.number, None)
        return child

    def _show(self) -> None:
        plan, ports, style = self._plan, self._plan.ports, self._style
        service = ports.service if plan.sample else None
        examples = (
            make_examples(ports.proxy)
            if plan.sample
            else make_own_examples(ports.upstream, ports.admin, proxy_port=ports.proxy)
        )
        self._say("", *address_lines(make_addresses(ports.proxy, ports.upstream, ports.admin, service), style))
        self._say("", "Paste one of these into another terminal:", *example_lines(examples, style), "")
        if self._keys:
            digits = "1" if len(plan.nodes) == 1 else f"1 to {len(plan.nodes)}"
            self._say(f"Press {digits} to kill a node and to start it again; q or Ctrl-C stops all of it.")
        else:
            self._say("Ctrl-C stops all of it. SIGUSR1 kills a node, SIGUSR2 starts it again.")
        self._say("Requests, as the nodes see them, and the nodes, as they see each other:", "")
        self._children.on_line = self._relay
        self._serving = True
        self._refreshed = self._clock() - _REFRESH

    def _relay(self, name: str, line: str) -> None:
        request = request_of(line) if any(node.name == name for node in self._plan.nodes) else ""
        if request:
            self._report(f"{name}  {request}")

    # The nodes, dying and coming back

    def _grant(self) -> None:
        """
        Do what was asked for.
        """
        for key in self._wishes():
            if key == "q":
                raise KeyboardInterrupt
            if key == "k" and self._running:
                self._kill(self._next_victim())
            elif key == "s":
                for node in self._plan.nodes:
                    if node.number not in self._running:
                        self._revive(node)
            else:
                for node in self._plan.nodes:
                    if key == str(node.number):
                        self._toggle(node)

    def _next_victim(self) -> int:
        """
        The running node after the one that was killed last.
        """
        later = [number for number in sorted(self._running) if number > self._killed]
        return later[0] if later else min(self._running)

    def _toggle(self, node: Node) -> None:
        if node.number in self._running:
            self._kill(node.number)
        else:
            self._revive(node)

    def _kill(self, number: int) -> None:
        self._killed = number
        self._children.kill(self._running.pop(number))
        self._ended[number] = "killed"
        self._report(self._style.notable(f"node {number} was killed"))

    def _revive(self, node: Node) -> None:
        self._start(self._plan.node_part(node))
        self._report(self._style.notable(f"{node.name} is started again"))

    def _bury(self, child: Child) -> bool:
        """
        Note that a node has ended by itself.

        :return: whether it was a node that had been running.
        """
        number = next((number for number, each in self._running.items() if each is child), 0)
        if not number or not self._serving:
            return False
        del self._running[number]
        self._ended[number] = "ended"
        self._children.forget(child)
        self._report(self._style.bad(f"node {number} {ending_of(child.process.returncode or 0)}"))
        for line in child.tail:
            self._report(self._style.faint(f"  {line}"))
        return True

    # The table

    def _refresh(self) -> None:
        """
        Ask how the nodes are, now and then, and show it.
        """
        now = self._clock()
        if now - self._refreshed < _REFRESH:
            return
        self._refreshed = now
        rows: list[Row] = []
        for number in self._running:
            node = self._plan.nodes[number - 1]
            rows = rows_of(self._fetch((node.host, node.admin), CLUSTER_NODES) or b"")
            if rows:
                break
        self._screen.show(table_lines(self._rows({row.id: row for row in rows}), self._style))

    def _rows(self, known: dict[str, Row]) -> list[Sequence[str]]:
        rows: list[Sequence[str]] = [("NODE", "ID", "PROCESS", "STATUS", "ENDPOINTS", "UPSTREAMS", "PROXY", "ADMIN")]
        for node in self._plan.nodes:
            row = known.get(node.id, Row(node.id, "unknown", 0, 0))
            process = "running" if node.number in self._running else self._ended.get(node.number, "")
            addresses = (f"{node.host}:{node.proxy}", f"{node.host}:{node.admin}")
            rows.append(
                (str(node.number), node.id, process, row.status, str(row.endpoints), str(row.upstreams), *addresses)
            )
        return rows

    def _report(self, line: str) -> None:
        self._say(f"  {line}")

    # Time

    def _wait(self) -> None:
        """
        Let a moment pass; leave when the end was asked for, or has come to one of the children.
        """
        if not self._interrupted():
            self._children.listen(_TURN)
        if self._interrupted() or self._screen.unheard:
            raise KeyboardInterrupt
        ended = self._children.find_ended()
        if ended is not None and not self._bury(ended):
            returncode = ended.process.returncode or 0
            raise _PartError(f"{ended.name} {ending_of(returncode)}, unasked", ended.tail)

    def _end(self) -> None:
        self._children.on_line = _ignore
        asked = self._interrupted()
        self._say(self._style.faint("stopping everything"))
        self._children.stop(GRACE + _ENDING, lambda: self._interrupted() > asked)
        self._say(self._style.faint("stopped"))


def _ignore(name: str, line: str) -> None:
    """
    Take no notice.
    """
