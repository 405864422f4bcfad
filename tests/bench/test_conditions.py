"""
Tests for :mod:`pico.bench.conditions`.
"""

from __future__ import annotations

import platform

from twisted.trial.unittest import SynchronousTestCase

from pico.bench.conditions import describe_plan, parse_cpu, parse_memory, parse_system
from pico.bench.plan import make_plan


class ParseTests(SynchronousTestCase):
    def test_cpu(self) -> None:
        """
        The name is that of the first CPU; where there is none, the kind of machine is told.
        """
        text = "processor\t: 0\nmodel name\t: A CPU: fast\nmodel name\t: B\n"
        self.assertEqual(parse_cpu(text), "A CPU: fast")
        self.assertEqual(parse_cpu(""), platform.machine())

    def test_memory(self) -> None:
        """
        The memory is told in GiB.
        """
        self.assertEqual(parse_memory("MemTotal:       24600000 kB\nMemFree: 1 kB\n"), "23 GiB")
        self.assertEqual(parse_memory(""), "memory unknown")

    def test_system(self) -> None:
        """
        The system's own name is told, with and without quotes.
        """
        self.assertEqual(parse_system('ID=x\nPRETTY_NAME="Some Linux 12 (name)"\n'), "Some Linux 12 (name)")
        self.assertEqual(parse_system("PRETTY_NAME=Void"), "Void")
        self.assertEqual(parse_system(""), "unknown system")


class DescribePlanTests(SynchronousTestCase):
    def test_plans(self) -> None:
        """
        A quick run says that it is one.
        """
        self.assertTrue(describe_plan(make_plan(quick=True, only=[])).startswith("quick, 1 round, 1 s a load"))
        self.assertTrue(describe_plan(make_plan(quick=False, only=[])).startswith("5 rounds, 4 s a load"))
