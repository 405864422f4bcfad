"""
Tests for :mod:`pico.demo.text`.
"""

from __future__ import annotations

import shlex
from signal import SIGKILL

from twisted.trial.unittest import SynchronousTestCase

from pico.demo.text import (
    ENDPOINT,
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

PLAIN = Style(False)
COLORED = Style(True)


class StyleTests(SynchronousTestCase):
    def test_plain(self) -> None:
        """
        Without colour nothing is added.
        """
        for say in (PLAIN.strong, PLAIN.faint, PLAIN.good, PLAIN.notable, PLAIN.bad):
            self.assertEqual(say("word"), "word")

    def test_colored(self) -> None:
        """
        With colour every style is another one, and is switched off behind the word.
        """
        said = [say("word") for say in (COLORED.strong, COLORED.faint, COLORED.good, COLORED.notable, COLORED.bad)]
        self.assertEqual(len(set(said)), 5)
        for text in said:
            self.assertTrue(text.startswith("\x1b["))
            self.assertTrue(text.endswith("word\x1b[0m"))


class WantsColorTests(SynchronousTestCase):
    def test_terminal(self) -> None:
        """
        A terminal is coloured, a file or a pipe is not.
        """
        self.assertTrue(wants_color({"TERM": "xterm"}, True))
        self.assertFalse(wants_color({"TERM": "xterm"}, False))

    def test_no_color(self) -> None:
        """
        NO_COLOR with anything in it switches colour off.
        """
        self.assertFalse(wants_color({"NO_COLOR": "1"}, True))
        self.assertFalse(wants_color({"NO_COLOR": "0"}, True))
        self.assertTrue(wants_color({"NO_COLOR": ""}, True))

    def test_dumb(self) -> None:
        """
        A terminal that says that it cannot is believed.
        """
        self.assertFalse(wants_color({"TERM": "dumb"}, True))


class ExampleTests(SynchronousTestCase):
    def test_commands(self) -> None:
        """
        There are three commands: by header, by host, and the stream of events.
        """
        self.assertEqual(
            [shlex.split(example.command) for example in make_examples(43121)],
            [
                ["curl", "http://127.0.0.1:43121/", "-H", "x-pico-endpoint: my-endpoint"],
                [
                    "curl",
                    "--connect-to",
                    "my-endpoint.example.com:43121:127.0.0.1:43121",
                    "http://my-endpoint.example.com:43121/",
                ],
                ["curl", "-N", "http://127.0.0.1:43121/events", "-H", "x-pico-endpoint: my-endpoint"],
            ],
        )

    def test_lines(self) -> None:
        """
        What stands around a command is a comment for the shell, so all of it can be pasted.
        """
        lines = example_lines(make_examples(8000), PLAIN)
        said = [line.strip() for line in lines if line.strip() and not line.strip().startswith("#")]
        self.assertEqual(said, [example.command for example in make_examples(8000)])


class OwnExampleTests(SynchronousTestCase):
    def test_defaults(self) -> None:
        """
        Where the ports are the usual ones the commands are those of the manual.
        """
        self.assertEqual(
            [example.command for example in make_own_examples(8001, 8002, 8000)],
            [
                "pico status cluster nodes",
                "python3 -m http.server 4000",
                "pico agent --endpoints my-endpoint/localhost:4000",
                'curl http://127.0.0.1:8000/ -H "x-pico-endpoint: my-endpoint"',
            ],
        )

    def test_other_ports(self) -> None:
        """
        Otherwise they say where.
        """
        status, _, agent, curl = (example.command for example in make_own_examples(1, 2, 3))
        self.assertEqual(status, "pico status cluster nodes --server.url http://127.0.0.1:2")
        self.assertEqual(agent, "pico agent --endpoints my-endpoint/localhost:4000 --connect.url http://127.0.0.1:1")
        self.assertIn("http://127.0.0.1:3/", curl)


class TableTests(SynchronousTestCase):
    ROWS = (("NODE", "STATUS", "UPSTREAMS"), ("1", "active", "12"), ("2", "unreachable", "0"))

    def test_columns(self) -> None:
        """
        Columns are aligned, and nothing stands behind the last one.
        """
        self.assertEqual(
            table_lines(self.ROWS, PLAIN),
            ["  NODE  STATUS       UPSTREAMS", "  1     active       12", "  2     unreachable  0"],
        )

    def test_colors(self) -> None:
        """
        Colour tells good from bad and moves nothing.
        """
        heading, good, bad = table_lines(self.ROWS, COLORED)
        self.assertIn("\x1b[32mactive\x1b[0m       12", good)
        self.assertIn("\x1b[31munreachable\x1b[0m  0", bad)
        self.assertIn("\x1b[2mSTATUS\x1b[0m", heading)


class AddressTests(SynchronousTestCase):
    def test_ports(self) -> None:
        """
        Every port is shown with its purpose, and the tunnel's address for a browser.
        """
        urls = {name: url for name, url, _ in make_addresses(1, 2, 3, 4)}
        self.assertEqual(
            urls,
            {
                "proxy": "http://127.0.0.1:1",
                "upstream": "http://127.0.0.1:2",
                "admin": "http://127.0.0.1:3",
                "service": "http://127.0.0.1:4",
                "in a browser": f"http://{ENDPOINT}.localhost:1/",
            },
        )

    def test_no_service(self) -> None:
        """
        Without the sample service nothing is said of it.
        """
        self.assertEqual([name for name, _, _ in make_addresses(1, 2, 3, None)], ["proxy", "upstream", "admin"])

    def test_columns(self) -> None:
        """
        Columns are aligned, and colour does not move them.
        """
        addresses = [("a", "http://x", "first"), ("longer", "http://longer", "second")]
        lines = address_lines(addresses, PLAIN)
        self.assertEqual(lines, ["  a       http://x       first", "  longer  http://longer  second"])
        colored = address_lines(addresses, COLORED)
        for code in ("\x1b[1m", "\x1b[2m", "\x1b[0m"):
            colored = [line.replace(code, "") for line in colored]
        self.assertEqual(colored, lines)


class RequestTests(SynchronousTestCase):
    def test_request(self) -> None:
        """
        A line of the access log is a request, whatever its level.
        """
        for level in ("info ", "warn "):
            self.assertEqual(
                request_of(
                    f"2026-11-23 21:50:16.123 {level} proxy.access: GET / 200 my-endpoint 127.0.0.1 1.2ms 5B id=0af7"
                ),
                "21:50:16  GET / 200 my-endpoint 127.0.0.1 1.2ms 5B",
            )

    def test_other(self) -> None:
        """
        All other lines are none.
        """
        for line in ("2026-11-23 21:50:16 info  server: ready", "", "GET / proxy.access: x", "proxy.access: x"):
            self.assertEqual(request_of(line), "", line)


class EndingTests(SynchronousTestCase):
    def test_status(self) -> None:
        """
        A process that ended itself has a status.
        """
        self.assertEqual(ending_of(3), "ended with status 3")

    def test_signal(self) -> None:
        """
        One that was ended is named with the signal.
        """
        self.assertEqual(ending_of(-SIGKILL), "was ended by SIGKILL")

    def test_nameless_signal(self) -> None:
        """
        Signals without a name have a number.
        """
        self.assertEqual(ending_of(-200), "was ended by signal 200")


class ReportTests(SynchronousTestCase):
    def test_tail(self) -> None:
        """
        The end of the output stands below what happened.
        """
        self.assertEqual(
            report_lines("the node ended", ["one", "two"], PLAIN),
            ["the node ended", "The end of its output:", "  one", "  two"],
        )

    def test_silent(self) -> None:
        """
        That there was no output is said.
        """
        self.assertEqual(report_lines("the node ended", [], PLAIN), ["the node ended", "It has written nothing."])
