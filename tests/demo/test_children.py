"""
Tests for :mod:`pico.demo.children`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from twisted.trial.unittest import SynchronousTestCase

from pico.demo.children import Child, Children


class FakeProcess:
    """
    A process that ends when its test says so, or when it is told to.

    :ivar told: what it was told, and the others of its kind with it.
    """

    def __init__(self, name: str, told: list[str], *, stubborn: bool = False) -> None:
        self.name = name
        self.told = told
        self.stubborn = stubborn
        self.returncode: int | None = None
        self.output, self._writing = os.pipe()
        os.set_blocking(self.output, False)

    def say(self, data: bytes) -> None:
        os.write(self._writing, data)

    def end(self, returncode: int) -> None:
        self.returncode = returncode
        os.close(self._writing)

    def poll(self) -> int | None:
        return self.returncode

    def wait(self) -> int:
        assert self.returncode is not None
        return self.returncode

    def terminate(self) -> None:
        self.told.append(f"terminate {self.name}")
        if not self.stubborn:
            self.say(b"bye\n")
            self.end(0)

    def kill(self) -> None:
        self.told.append(f"kill {self.name}")
        self.end(-9)


class ChildrenTests(SynchronousTestCase):
    def setUp(self) -> None:
        """
        Make children that are started from a list.
        """
        self.told: list[str] = []
        self.time = 0.0
        self.environments: list[Mapping[str, str]] = []
        self.commands: list[Sequence[str]] = []
        self.to_launch: list[FakeProcess] = []
        self.children = Children({"A": "b"}, launch=self.launch, clock=self.clock)
        self.addCleanup(self.children.close)
        self.lines: list[tuple[str, str]] = []
        self.children.on_line = lambda name, line: self.lines.append((name, line))

    def launch(self, command: Sequence[str], environment: Mapping[str, str]) -> tuple[FakeProcess, int]:
        self.commands.append(command)
        self.environments.append(environment)
        process = self.to_launch.pop(0)
        return process, process.output

    def clock(self) -> float:
        # Time passes by being looked at.
        self.time += 1.0
        return self.time

    def start(self, name: str, *, stubborn: bool = False) -> tuple[FakeProcess, Child]:
        process = FakeProcess(name, self.told, stubborn=stubborn)
        self.to_launch.append(process)
        child = self.children.start(name, ["run", name])

        def end() -> None:
            if process.returncode is None:
                process.end(0)

        self.addCleanup(end)
        return process, child

    def test_start(self) -> None:
        """
        A child gets its command and the environment.
        """
        self.start("node")
        self.assertEqual(self.commands, [["run", "node"]])
        self.assertEqual(self.environments, [{"A": "b"}])

    def test_lines(self) -> None:
        """
        Output is reported line by line with the name of the child, however it is cut.
        """
        node, child = self.start("node")
        agent, _ = self.start("agent")
        node.say(b"one\ntw")
        self.children.listen(0)
        agent.say(b"hello\r\n")
        self.children.listen(0)
        node.say(b"o\n\xff\n")
        self.children.listen(0)
        self.assertEqual(self.lines, [("node", "one"), ("agent", "hello"), ("node", "two"), ("node", "\ufffd")])
        self.assertEqual(list(child.tail), ["one", "two", "\ufffd"])

    def test_tail(self) -> None:
        """
        Only the end of the output is kept.
        """
        node, child = self.start("node")
        node.say(b"".join(b"line %d\n" % number for number in range(1000)))
        self.children.listen(0)
        self.assertEqual(list(child.tail), [f"line {number}" for number in range(980, 1000)])

    def test_endless_line(self) -> None:
        """
        A line that does not end is not kept for ever.
        """
        node, child = self.start("node")
        for _ in range(20):
            node.say(b"x" * 1000)
            self.children.listen(0)
        self.assertEqual({len(line) for line in child.tail}, {500})

    def test_find_ended(self) -> None:
        """
        A child that has ended by itself is found, with all that it wrote before.
        """
        node, child = self.start("node")
        self.start("agent")
        self.assertIsNone(self.children.find_ended())
        node.say(b"port is taken\nlast words")
        node.end(1)
        self.assertIs(self.children.find_ended(), child)
        self.assertEqual(list(child.tail), ["port is taken", "last words"])

    def test_kill(self) -> None:
        """
        One that is killed is gone at once, is not found as one that has ended, and is not ended a second time.
        """
        self.start("node")
        node, child = self.start("another")
        node.say(b"last words\n")
        self.children.kill(child)
        self.assertEqual(self.lines, [("another", "last words")])
        self.assertIsNone(self.children.find_ended())
        self.children.stop(10, lambda: False)
        self.assertEqual(self.told, ["kill another", "terminate node"])

    def test_stop_order(self) -> None:
        """
        Children are ended one after the other, the last first, and what they still say is taken.
        """
        self.start("service")
        self.start("node")
        self.start("agent")
        self.children.stop(10, lambda: False)
        self.assertEqual(self.told, ["terminate agent", "terminate node", "terminate service"])
        self.assertEqual(self.lines, [("agent", "bye"), ("node", "bye"), ("service", "bye")])

    def test_stop_stubborn(self) -> None:
        """
        One that does not end in time is killed, and the others still get their turn.
        """
        self.start("service")
        agent, _ = self.start("agent", stubborn=True)
        # Its output keeps a listener from waiting.
        agent.say(b"no\n")
        self.children.stop(2, lambda: False)
        self.assertEqual(self.told, ["terminate agent", "kill agent", "terminate service"])

    def test_stop_hurried(self) -> None:
        """
        Who is in a hurry does not wait.
        """
        self.start("service")
        self.start("agent", stubborn=True)
        self.children.stop(1000, lambda: True)
        self.assertEqual(self.told, ["terminate agent", "kill agent", "terminate service"])
        self.assertLess(self.time, 10)

    def test_stop_ended(self) -> None:
        """
        One that has ended by itself is told nothing, and stopping twice does nothing.
        """
        node, _ = self.start("node")
        self.start("agent")
        node.end(1)
        self.children.stop(10, lambda: False)
        self.children.stop(10, lambda: False)
        self.assertEqual(self.told, ["terminate agent"])

    def test_close(self) -> None:
        """
        Afterwards no descriptor is left.
        """
        node, _ = self.start("node")
        self.start("agent")
        self.children.stop(10, lambda: False)
        self.children.close()
        self.assertRaises(OSError, os.fstat, node.output)
