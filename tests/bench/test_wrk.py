"""
Tests for :mod:`pico.bench.wrk`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pico.bench.wrk import Load, parse_wrk, wrk_command
from tests.bench.support import WRK_OUTPUT

BROKEN = "  Socket errors: connect 1, read 20, write 300, timeout 4000\n"
REFUSED = "  Non-2xx or 3xx responses: 17\n"


class ParseWrkTests(SynchronousTestCase):
    def test_all_well(self) -> None:
        """
        Rate, requests and latencies are read; nothing is wrong.
        """
        load = parse_wrk(WRK_OUTPUT)
        self.assertEqual(load, Load(4000, 997.51, 640.0, 12_300.0, 0, 0))
        self.assertEqual(load.fault, "")

    def test_units(self) -> None:
        """
        Latencies come in several units.
        """
        table = {"12.00us": 12.0, "1.25ms": 1250.0, "2.50s": 2.5e6, "1.50m": 90e6, "0.50h": 1800e6}
        for text, latency in table.items():
            self.assertEqual(parse_wrk(WRK_OUTPUT.replace("640.00us", text)).p50, latency, text)

    def test_faults(self) -> None:
        """
        Failed requests and connections are counted and told.
        """
        table = {
            BROKEN: "4321 socket errors",
            REFUSED: "17 of 4000 responses were errors",
            BROKEN + REFUSED: "17 of 4000 responses were errors, 4321 socket errors",
        }
        for lines, fault in table.items():
            load = parse_wrk(WRK_OUTPUT.replace("Requests/sec", lines + "Requests/sec"))
            self.assertEqual(load.fault, fault)

    def test_something_else(self) -> None:
        """
        Output that lacks what is needed is an error that shows it.
        """
        for line in ("     50%  640.00us\n", "     99%   12.30ms\n", "Requests/sec:    997.51\n"):
            self.assertRaises(ValueError, parse_wrk, WRK_OUTPUT.replace(line, ""))
        error = self.assertRaises(ValueError, parse_wrk, "unable to connect")
        self.assertIn("unable to connect", str(error))


class WrkCommandTests(SynchronousTestCase):
    def test_command(self) -> None:
        """
        The endpoint is sent to every side.
        """
        command = wrk_command("/bin/wrk", "http://a:1/", connections=50, seconds=4, endpoint="bench")
        self.assertEqual((command[0], command[-1]), ("/bin/wrk", "http://a:1/"))
        wanted = {"--connections=50", "--duration=4s", "--latency", "--header=x-pico-endpoint: bench"}
        self.assertLessEqual(wanted, set(command))
