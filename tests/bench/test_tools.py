"""
Tests for :mod:`pico.bench.tools`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pico.bench.faults import BenchError
from pico.bench.tools import Tools, find_tools, parse_version


class FindToolsTests(SynchronousTestCase):
    def test_found(self) -> None:
        """
        Where the programs are is told.
        """
        self.assertEqual(find_tools(lambda name: f"/bin/{name}"), Tools("/bin/nginx", "/bin/wrk"))

    def test_missing(self) -> None:
        """
        What is missing is named, with the command that gets it.
        """
        table = {
            ("nginx", "wrk"): ("nginx and wrk", "sudo apt-get install nginx-light wrk"),
            ("nginx",): ("nginx", "sudo apt-get install nginx-light"),
            ("wrk",): ("wrk", "sudo apt-get install wrk"),
        }
        for missing, (names, command) in table.items():
            error = self.assertRaises(BenchError, find_tools, lambda name, m=missing: None if name in m else "x")
            first, second = str(error).splitlines()
            self.assertEqual(first, f"the benchmark needs {names}, not found here.")
            self.assertTrue(second.endswith(command), second)


class ParseVersionTests(SynchronousTestCase):
    def test_versions(self) -> None:
        """
        The version is found among what the programs print.
        """
        table = {
            "nginx version: nginx/1.22.1\n": "1.22.1",
            "wrk debian/4.1.0-3+b2 [epoll] Copyright (C) 2012 Will Glozer\nUsage: wrk <options> <url>": "4.1.0-3+b2",
            "wrk 4.2.0 [epoll] Copyright (C) 2012 Will Glozer": "4.2.0",
            "": "?",
        }
        for text, version in table.items():
            self.assertEqual(parse_version(text), version, text)
