"""
Tests for :mod:`pico.bench.children`.
"""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from pico.bench.children import Child, Children
from pico.bench.faults import BenchError
from tests.bench.support import FakeProcess, FakeSystem


class ChildrenTests(SynchronousTestCase):
    def setUp(self) -> None:
        """
        Make children of a system that is made up.
        """
        self.system = FakeSystem()
        directory = Path(self.mktemp())
        directory.mkdir()
        self.children = Children(directory, self.system)

    def start(self, name: str = "node", printed: str = "") -> tuple[Child, FakeProcess]:
        self.system.answer = lambda command: (printed, None)
        return self.children.start(name, ["run", name]), self.system.processes[-1]

    def test_run(self) -> None:
        """
        A program that ends well gives what it has printed, and is forgotten.
        """
        self.system.answer = lambda command: ("figures\n", 0)
        self.assertEqual(self.children.run("wrk", ["wrk", "-c1"], within=3), "figures\n")
        self.assertEqual(self.system.commands, [["wrk", "-c1"]])
        self.system.told.clear()
        self.children.close()
        self.assertEqual(self.system.told, [])

    def test_run_fails(self) -> None:
        """
        A program that fails is an error that tells what it printed.
        """
        self.system.answer = lambda command: ("no such thing\n", 3)
        error = self.assertRaises(BenchError, self.children.run, "wrk", ["wrk"], within=3)
        self.assertEqual(str(error), "wrk ended with status 3:\nno such thing\n")

    def test_run_hangs(self) -> None:
        """
        A program that does not end is killed.
        """
        error = self.assertRaises(BenchError, self.children.run, "wrk", ["wrk"], within=3)
        self.assertEqual(str(error), "wrk did not end within 3 s:\n")
        self.assertEqual(self.system.told, ["kill 100"])

    def test_run_while_another_ends(self) -> None:
        """
        When a server has ended, the figures of its client are an error, and the server's output is shown.
        """
        _, node = self.start(printed="out of memory\n")
        node.returncode = -9
        self.system.answer = lambda command: ("figures\n", 0)
        error = self.assertRaises(BenchError, self.children.run, "wrk", ["wrk"], within=3)
        self.assertEqual(str(error), "node ended with status -9:\nout of memory\n")

    def test_when(self) -> None:
        """
        What is waited for is looked at again and again.
        """
        child, _ = self.start()
        answers = iter([None, None, "there"])
        self.assertEqual(child.when(lambda: next(answers), "answer", within=5), "there")
        self.assertGreater(self.system.time, 0)

    def test_when_it_ends(self) -> None:
        """
        Waiting stops with the process.
        """
        child, process = self.start(printed="port taken\n")

        def end() -> None:
            process.returncode = 1

        self.system.on_sleep = end
        error = self.assertRaises(BenchError, child.when, lambda: None, "answer", within=5)
        self.assertEqual(str(error), "node ended with status 1:\nport taken\n")

    def test_when_never(self) -> None:
        """
        Waiting has a bound.
        """
        child, _ = self.start()
        error = self.assertRaises(BenchError, child.when, lambda: None, "answer", within=5)
        self.assertEqual(str(error), "node: no answer within 5 s:\n")
        self.assertLess(self.system.time, 5.1)

    def test_close(self) -> None:
        """
        All are asked to end, the last one first, and what is left of their sessions is killed.
        """
        self.start("node")
        self.start("agent")
        self.children.close()
        self.assertEqual(self.system.told, ["terminate 101", "terminate 100", "kill 100", "kill 101"])
        self.assertEqual([process.returncode for process in self.system.processes], [0, 0])

    def test_close_stubborn(self) -> None:
        """
        Those that do not end share the time that they are given, and are killed.
        """
        for name in ("node", "agent"):
            self.start(name)[1].stubborn = True
        self.children.close(patience=5)
        self.assertEqual(self.system.time, 5.0)
        self.assertEqual([process.returncode for process in self.system.processes], [-9, -9])

    def test_logs(self) -> None:
        """
        Two processes of the same name have files of their own.
        """
        first, _ = self.start(printed="one")
        second, _ = self.start(printed="two")
        self.assertEqual((first.read(), second.read()), ("one", "two"))
