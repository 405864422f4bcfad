"""
Tests for :mod:`pico.demo.run`.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence

from twisted.trial.unittest import SynchronousTestCase

from pico.demo.children import Child
from pico.demo.parts import AGENT, NODE, SERVICE, Ports
from pico.demo.run import Demo
from pico.demo.text import Style


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
        self.answers: dict[tuple[int, str], bytes] = {
            (4, "/"): b"page",
            (3, "/ready"): b"{}",
            (3, "/status/upstream/endpoints"): b'{"my-endpoint":1}',
        }
        self.asked: list[tuple[int, str]] = []

    def make(self, *notices: str) -> Demo:
        return Demo(
            Ports(proxy=1, upstream=2, admin=3, service=4),
            notices,
            children=self.children,
            fetch=self.fetch,
            interrupted=lambda: self.interruptions,
            style=Style(False),
            out=self.out,
            clock=lambda: self.children.time,
        )

    def fetch(self, port: int, path: str) -> bytes | None:
        self.asked.append((port, path))
        return self.answers.get((port, path))

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
        self.assertEqual(self.children.started, [SERVICE, NODE, AGENT])
        self.assertEqual(len(self.children.stopped), 1)
        said = self.out.getvalue()
        self.assertIn("  starting the node           ready after 0.0 s\n", said)
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
        ready = self.answers.pop((3, "/ready"))
        started: list[list[str]] = []

        def look() -> None:
            started.append(list(self.children.started))

        def bring_up() -> None:
            self.answers[(3, "/ready")] = ready

        self.children.turns = [look, look, bring_up, self.interrupt]
        self.assertEqual(self.make().run(), 0)
        self.assertEqual(started, [[SERVICE, NODE]] * 2)
        self.assertEqual(self.children.started, [SERVICE, NODE, AGENT])
        self.assertIn("starting the node           ready after 0.3 s\n", self.out.getvalue())

    def test_not_registered(self) -> None:
        """
        The agent is up when the node knows its endpoint, not when the node answers.
        """
        self.answers[(3, "/status/upstream/endpoints")] = b"{}"
        self.children.turns = [lambda: None] * 5 + [self.interrupt]
        self.make().run()
        self.assertNotIn("curl", self.out.getvalue())

    def test_too_slow(self) -> None:
        """
        A part that does not come up is given up, with what it has said so far.
        """
        del self.answers[(3, "/ready")]
        self.children.turns = [lambda: self.children.running[1][0].tail.append("thinking")]
        self.assertEqual(self.make().run(), 1)
        self.assertIn("the node is not ready after 20 s\nThe end of its output:\n  thinking\n", self.out.getvalue())
        self.assertEqual(len(self.children.stopped), 1)

    def test_dies_at_start(self) -> None:
        """
        A part that ends while it is waited for is named, with its last words.
        """
        del self.answers[(3, "/ready")]
        self.children.turns = [lambda: self.end_child(1, 1, "cannot listen on 127.0.0.1:1")]
        self.assertEqual(self.make().run(), 1)
        self.assertIn(
            "the node ended with status 1, unasked\nThe end of its output:\n  cannot listen on 127.0.0.1:1\n",
            self.out.getvalue(),
        )
        self.assertNotIn(AGENT, self.children.started)
        self.assertEqual(len(self.children.stopped), 1)

    def test_dies_later(self) -> None:
        """
        So is one that ends while everything runs; the others are stopped.
        """
        self.children.turns = [lambda: None, lambda: self.end_child(2, -9)]
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
            self.children.on_line(NODE, "2026-11-23 21:50:15 info  upstream: tunnel connected")
            self.children.on_line(NODE, "2026-11-23 21:50:16 info  proxy.access: GET / 200")
            self.children.on_line(AGENT, "2026-11-23 21:50:16 info  proxy.access: not the node")

        self.children.turns = [talk, self.interrupt]
        self.make().run()
        self.assertTrue(
            self.out.getvalue()
            .split("Ctrl-C")[1]
            .startswith(" stops all of it. Requests, as the node sees them:\n\n  21:50:16  GET / 200\n\nstopping")
        )

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
