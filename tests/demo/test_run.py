"""
Tests for :mod:`pico.demo.run`.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Sequence

from twisted.trial.unittest import SynchronousTestCase

from pico.demo.children import Child
from pico.demo.parts import AGENT, BALANCER, SERVICE, Node, Plan, Ports
from pico.demo.run import Demo
from pico.demo.screen import Screen
from pico.demo.text import Style

CLUSTER = "/status/cluster/nodes"
NODES = [Node(1, "pico-1-a", "127.0.1.1", 11, 12, 13, 14), Node(2, "pico-2-b", "127.0.1.2", 21, 22, 23, 24)]


def nodes_answer(*rows: tuple[str, str, int]) -> bytes:
    """
    What a node says of all nodes.

    :param rows: of each the id, the status and the number of upstreams.
    """
    return json.dumps(
        [
            {"id": node, "status": status, "endpoints": upstreams, "upstreams": upstreams}
            for node, status, upstreams in rows
        ]
    ).encode()


class FakeProcess:
    """
    A process that does nothing.
    """

    def __init__(self) -> None:
        self.returncode: int | None = None

    def poll(self) -> int | None:
        return self.returncode

    def wait(self) -> int:
        return 0

    def terminate(self) -> None:
        self.returncode = -15

    def kill(self) -> None:
        self.returncode = -9


class FakeChildren:
    """
    Children that are only written down.

    :ivar turns: what happens while the demo listens, turn by turn; after the last nothing more happens.
    """

    def __init__(self) -> None:
        self.on_line: Callable[[str, str], None] = lambda name, line: None
        self.started: list[str] = []
        self.running: list[tuple[Child, FakeProcess]] = []
        self.killed: list[str] = []
        self.stopped: list[float] = []
        self.hurried: list[bool] = []
        self.turns: list[Callable[[], None]] = []
        self.time = 0.0
        self.while_stopping: Callable[[], None] = lambda: None

    def start(self, name: str, command: Sequence[str]) -> Child:
        process = FakeProcess()
        child = Child(name, process)
        self.started.append(name)
        self.running.append((child, process))
        return child

    def listen(self, seconds: float) -> None:
        self.time += seconds
        if self.turns:
            self.turns.pop(0)()

    def find_ended(self) -> Child | None:
        return next((child for child, _ in self.running if child.ended), None)

    def kill(self, child: Child) -> None:
        child.process.kill()
        self.killed.append(child.name)
        self.forget(child)

    def forget(self, child: Child) -> None:
        self.running = [(each, process) for each, process in self.running if each is not child]

    def stop(self, patience: float, hurried: Callable[[], bool]) -> None:
        self.stopped.append(patience)
        self.hurried.append(hurried())
        self.while_stopping()
        self.hurried.append(hurried())


class DemoTests(SynchronousTestCase):
    def setUp(self) -> None:
        """
        Make a demo whose parts are up as soon as they are started.
        """
        self.children = FakeChildren()
        self.interruptions = 0
        self.out = io.StringIO()
        nodes = nodes_answer(("pico-1-a", "active", 1), ("pico-2-b", "active", 0))
        self.answers: dict[tuple[int, str], bytes] = {
            (4, "/"): b"page",
            (13, "/ready"): b"{}",
            (23, "/ready"): b"{}",
            (3, CLUSTER): nodes,
            (13, CLUSTER): nodes,
            (23, CLUSTER): nodes,
        }
        self.keys = ""

    def make(self, *notices: str, sample: bool = True, keys: bool = False) -> Demo:
        return Demo(
            Plan(Ports(proxy=1, upstream=2, admin=3, service=4), NODES, sample),
            notices,
            children=self.children,
            fetch=self.fetch,
            interrupted=lambda: self.interruptions,
            style=Style(False),
            wishes=self.take,
            screen=Screen(self.out, live=False),
            keys=keys,
            clock=lambda: self.children.time,
        )

    def fetch(self, address: tuple[str, int], path: str) -> bytes | None:
        return self.answers.get((address[1], path))

    def take(self) -> str:
        keys, self.keys = self.keys, ""
        return keys

    def press(self, keys: str) -> Callable[[], None]:
        def typed() -> None:
            self.keys += keys

        return typed

    def interrupt(self) -> None:
        self.interruptions += 1

    def end_child(self, index: int, returncode: int, *tail: str) -> None:
        child, process = self.children.running[index]
        child.tail.extend(tail)
        process.returncode = returncode

    def test_success(self) -> None:
        """
        The parts are started in order, addresses and commands are shown, and Ctrl-C ends it with status 0.
        """
        self.children.turns = [lambda: None, self.interrupt]
        self.assertEqual(self.make().run(), 0)
        self.assertEqual(self.children.started, [SERVICE, "node 1", "node 2", BALANCER, AGENT])
        self.assertEqual(len(self.children.stopped), 1)
        said = self.out.getvalue()
        self.assertIn("  starting 2 nodes            ready after 0.0 s\n", said)
        self.assertIn("http://127.0.0.1:3  ", said)
        self.assertEqual(said.count("\n  curl "), 3)
        self.assertTrue(said.endswith("stopped\n"))

    def test_notices(self) -> None:
        """
        What is to be said about ports comes first.
        """
        self.children.turns = [self.interrupt]
        self.make("port 8000 is taken, using 43121").run()
        said = self.out.getvalue()
        self.assertLess(said.index("port 8000 is taken, using 43121\n"), said.index("starting"))

    def test_waits(self) -> None:
        """
        A part is started only when the one before is up.
        """
        ready = self.answers.pop((13, "/ready"))
        started: list[list[str]] = []

        def look() -> None:
            started.append(list(self.children.started))

        def bring_up() -> None:
            self.answers[(13, "/ready")] = ready

        self.children.turns = [look, look, bring_up, self.interrupt]
        self.assertEqual(self.make().run(), 0)
        self.assertEqual(started, [[SERVICE, "node 1", "node 2"]] * 2)
        self.assertEqual(self.children.started, [SERVICE, "node 1", "node 2", BALANCER, AGENT])
        self.assertIn("starting 2 nodes            ready after 0.3 s\n", self.out.getvalue())

    def test_not_registered(self) -> None:
        """
        The agent is up when the node knows its endpoint, not when the node answers.
        """
        self.answers[(3, CLUSTER)] = nodes_answer(("pico-1-a", "active", 0), ("pico-2-b", "active", 0))
        self.children.turns = [lambda: None] * 5 + [self.interrupt]
        self.make().run()
        self.assertNotIn("curl", self.out.getvalue())

    def test_too_slow(self) -> None:
        """
        A part that does not come up is given up, with what it has said so far.
        """
        del self.answers[(13, "/ready")]
        self.children.turns = [lambda: self.children.running[1][0].tail.append("thinking")]
        self.assertEqual(self.make().run(), 1)
        self.assertIn("node 1 is not ready after 20 s\nThe end of its output:\n  thinking\n", self.out.getvalue())
        self.assertEqual(len(self.children.stopped), 1)

    def test_dies_at_start(self) -> None:
        """
        A part that ends while it is waited for is named, with its last words.
        """
        del self.answers[(13, "/ready")]
        self.children.turns = [lambda: self.end_child(1, 1, "cannot listen on 127.0.0.1:1")]
        self.assertEqual(self.make().run(), 1)
        self.assertIn(
            "node 1 ended with status 1, unasked\nThe end of its output:\n  cannot listen on 127.0.0.1:1\n",
            self.out.getvalue(),
        )
        self.assertNotIn(AGENT, self.children.started)
        self.assertEqual(len(self.children.stopped), 1)

    def test_dies_later(self) -> None:
        """
        So is one that ends while everything runs; the others are stopped.
        """
        self.children.turns = [lambda: None, lambda: self.end_child(4, -9)]
        self.assertEqual(self.make().run(), 1)
        self.assertIn("the agent was ended by SIGKILL, unasked\nIt has written nothing.\n", self.out.getvalue())
        self.assertEqual(len(self.children.stopped), 1)

    def test_interrupted_at_start(self) -> None:
        """
        Ctrl-C while a part is waited for ends it as well, and nothing more is started.
        """
        del self.answers[(4, "/")]
        self.children.turns = [self.interrupt]
        self.assertEqual(self.make().run(), 0)
        self.assertEqual(self.children.started, [SERVICE])
        self.assertEqual(len(self.children.stopped), 1)

    def test_second_interruption(self) -> None:
        """
        A second Ctrl-C hurries the end; the one that began it does not.
        """
        self.children.turns = [self.interrupt]
        self.children.while_stopping = self.interrupt
        self.make().run()
        self.assertEqual(self.children.hurried, [False, True])

    def test_shows_requests(self) -> None:
        """
        Once everything runs, the node's record of each request is shown; what else is said is not.
        """

        def talk() -> None:
            self.children.on_line("node 2", "2026-11-23 21:50:15 info  upstream: tunnel connected")
            self.children.on_line("node 2", "2026-11-23 21:50:16 info  proxy.access: GET / 200")
            self.children.on_line(AGENT, "2026-11-23 21:50:16 info  proxy.access: not the node")

        self.children.turns = [talk, self.interrupt]
        self.make().run()
        self.assertEqual(self.out.getvalue().count("proxy.access"), 0)
        self.assertIn("\n  node 2  21:50:16  GET / 200\n", self.out.getvalue())
        self.assertNotIn("not the node", self.out.getvalue())
        self.assertNotIn("tunnel connected", self.out.getvalue())

    def test_own(self) -> None:
        """
        Without the sample the commands are those for a service of one's own.
        """
        self.children.turns = [self.interrupt]
        self.assertEqual(self.make(sample=False).run(), 0)
        self.assertEqual(self.children.started, ["node 1", "node 2", BALANCER])
        self.assertIn("pico agent --endpoints my-endpoint/localhost:4000 --connect", self.out.getvalue())
        self.assertNotIn("in a browser", self.out.getvalue())

    def test_table(self) -> None:
        """
        What the nodes know of each other is shown, and again when it has changed.
        """

        def change() -> None:
            self.answers[(13, CLUSTER)] = nodes_answer(("pico-1-a", "active", 1), ("pico-2-b", "unreachable", 0))

        self.children.turns = [lambda: None] * 12 + [change] + [lambda: None] * 12 + [self.interrupt]
        self.make().run()
        tables = self.out.getvalue().split("  NODE  ID")[1:]
        self.assertEqual(len(tables), 2)
        self.assertRegex(tables[0], r"\n  1     pico-1-a  running  active  1          1          127.0.1.1:11 ")
        self.assertRegex(tables[1], r"\n  2     pico-2-b  running  unreachable  0          0          127.0.1.2:21 ")

    def test_kill_and_start(self) -> None:
        """
        A node's key kills it, and the same key starts it again, as what it was.
        """
        self.children.turns = [self.press("2"), *[lambda: None] * 6, self.press("2x9"), self.interrupt]
        self.assertEqual(self.make(keys=True).run(), 0)
        self.assertEqual(self.children.killed, ["node 2"])
        self.assertEqual(self.children.started[-1], "node 2")
        said = self.out.getvalue()
        self.assertIn("Press 1 to 2 to kill a node and to start it again; q or Ctrl-C stops", said)
        self.assertIn("\n  node 2 was killed\n", said)
        self.assertIn("pico-2-b  killed   active", said)
        self.assertIn("\n  node 2 is started again\n", said)

    def test_signals(self) -> None:
        """
        One after the other may be killed, and all are started again at once; with none left a further one is nothing.
        """
        self.children.turns = [self.press("kkk"), self.press("s"), self.press("k"), self.interrupt]
        self.assertEqual(self.make().run(), 0)
        self.assertEqual(self.children.killed, ["node 1", "node 2", "node 1"])
        self.assertEqual(self.children.started[-2:], ["node 1", "node 2"])
        self.assertIn("SIGUSR1 kills a node, SIGUSR2 starts it again.", self.out.getvalue())

    def test_quit(self) -> None:
        """
        A key ends it, too.
        """
        self.children.turns = [self.press("q")]
        self.assertEqual(self.make(keys=True).run(), 0)
        self.assertEqual(len(self.children.stopped), 1)

    def test_node_dies(self) -> None:
        """
        A node that ends by itself ends nothing else; its last words are shown, and it can be started again.
        """
        self.children.turns = [lambda: self.end_child(2, -9, "last words"), self.press("2"), self.interrupt]
        self.assertEqual(self.make().run(), 0)
        self.assertIn("\n  node 2 was ended by SIGKILL\n    last words\n", self.out.getvalue())
        self.assertEqual(self.children.started[-1], "node 2")

    def test_all_nodes_dead(self) -> None:
        """
        With no node left there is nobody to ask, and the table says that nothing is known.
        """
        self.children.turns = [self.press("kk"), *[lambda: None] * 8, self.interrupt]
        self.assertEqual(self.make().run(), 0)
        self.assertIn("pico-1-a  killed   unknown", self.out.getvalue())

    def test_nobody_reads(self) -> None:
        """
        When whoever read the output has gone, the demo ends, and everything is stopped.
        """

        class Closed(io.StringIO):
            def write(self, text: str) -> int:
                raise BrokenPipeError

        self.out = Closed()
        self.assertEqual(self.make().run(), 0)
        self.assertEqual(len(self.children.stopped), 1)

    def test_bug(self) -> None:
        """
        Whatever goes wrong, the parts are stopped.
        """

        def broken() -> None:
            raise ZeroDivisionError

        self.children.turns = [broken]
        self.assertRaises(ZeroDivisionError, self.make().run)
        self.assertEqual(len(self.children.stopped), 1)
