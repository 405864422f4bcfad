"""
``pico status`` against a real node: every command, right and wrong.
"""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import signal
import socket
import struct
import termios
import threading
from collections.abc import Callable
from typing import ClassVar

import yaml

from pico.cli.status_client import MAX_ANSWER, fetch, parse_admin_url
from pico.errors import PicoError
from tests.system.case import Node, Scene, SharedSceneTestCase, SystemTestCase, pico, run
from tests.system.http_client import Response
from tests.system.processes import PICO, Program, eventually, free_port
from tests.system.services import HTTPService

COMMANDS = (
    ("cluster", "nodes"),
    ("cluster", "node"),
    ("upstream", "endpoints"),
    ("upstream", "tunnels"),
    ("proxy", "endpoints"),
)


class StatusTests(SharedSceneTestCase):
    """
    A node with two tunnels for "my-endpoint" and one for "other".
    """

    node: ClassVar[Node]
    service: ClassVar[HTTPService]

    @classmethod
    def set_scene(cls, scene: Scene) -> None:
        cls.service = scene.run(HTTPService("s"))
        cls.node = scene.node({"cluster.node-id-prefix": "pico-1-"})
        scene.agent(cls.node, "my-endpoint", cls.service.port)
        scene.agent(cls.node, "my-endpoint", cls.service.port, connected=2)
        scene.agent(cls.node, "other", cls.service.port)
        for _ in range(4):
            response: Response = cls.node.fetch("/x", endpoint="other")
            assert response.status == 200

    def ask(self, *arguments: str) -> str:
        """
        Run a command that must succeed and print nothing but what it was asked for.
        """
        result = pico("status", *arguments, f"--server.url=http://localhost:{self.node.admin}")
        self.assertEqual((result.returncode, result.stderr), (0, ""), arguments)
        return result.stdout

    def refused(self, *arguments: str, status: int, url: str = "") -> str:
        """
        Run a command that must fail, with nothing on standard output.
        """
        result = pico("status", *arguments, f"--server.url={url or f'http://localhost:{self.node.admin}'}")
        self.assertEqual((result.returncode, result.stdout), (status, ""), (arguments, result.stderr))
        self.assertNotIn("Traceback", result.stderr)
        return result.stderr

    def test_nodes(self) -> None:
        """
        The nodes, as YAML to the letter.
        """
        self.assertRegex(
            self.ask("cluster", "nodes"),
            r"^nodes:\n- id: pico-1-[a-z0-9]{7}\n  status: active\n"
            rf"  proxy_addr: 127\.0\.0\.1:{self.node.proxy}\n  admin_addr: 127\.0\.0\.1:{self.node.admin}\n"
            r"  endpoints: 2\n  upstreams: 3\n$",
        )

    def test_node(self) -> None:
        """
        One node: this one without a name, under the name "local", and by its id.
        """
        text = self.ask("cluster", "node")
        self.assertRegex(text, r"^id: pico-1-[a-z0-9]{7}\nstatus: active\nproxy_addr: ")
        self.assertTrue(text.endswith("endpoints:\n  my-endpoint: 2\n  other: 1\n"), text)
        self.assertEqual(self.ask("cluster", "node", "local"), text)
        self.assertEqual(self.ask("cluster", "node", yaml.safe_load(text)["id"]), text)
        message = self.refused("cluster", "node", "pico-2/..", status=1)
        self.assertIn("no node pico-2/.. is known here", message)
        self.assertEqual(message.count("\n"), 1)

    def test_endpoints(self) -> None:
        """
        Endpoints as YAML to the letter.
        """
        self.assertEqual(self.ask("upstream", "endpoints"), "my-endpoint: 2\nother: 1\n")
        address = r"  - 127\.0\.0\.1:\d+\n"
        self.assertRegex(
            self.ask("proxy", "endpoints"),
            rf"^endpoints:\n  my-endpoint:\n{address}{address}  other:\n{address}$",
        )

    def test_tunnels(self) -> None:
        """
        Tunnels one by one, all or those of one endpoint.
        """
        told = yaml.safe_load(self.ask("upstream", "tunnels"))
        self.assertEqual((told["total"], [each["id"] for each in told["tunnels"]]), (3, [1, 2, 3]))
        told = yaml.safe_load(self.ask("upstream", "tunnels", "--endpoint", "other"))
        (tunnel,) = told["tunnels"]
        self.assertEqual((tunnel["endpoint"], tunnel["status"], tunnel["requests"]), ("other", "active", 4))
        self.assertRegex(tunnel["since"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        self.assertGreater(tunnel["bytes_received"], 0)
        result = pico("status", "upstream", "tunnels", "--limit=1", f"--server.url=http://localhost:{self.node.admin}")
        self.assertEqual(len(yaml.safe_load(result.stdout)["tunnels"]), 1)
        self.assertIn("1 of 3 tunnels", result.stderr)

    def test_forms(self) -> None:
        """
        YAML and JSON say the same, and a table is there for each; what is no terminal gets no colours.
        """
        for command in COMMANDS:
            document = yaml.safe_load(self.ask(*command))
            self.assertEqual(yaml.safe_load(self.ask(*command, "-o", "yaml")).keys(), document.keys())
            self.assertEqual(json.loads(self.ask(*command, "--output=json")).keys(), document.keys())
            table = self.ask(*command, "-o", "table")
            self.assertNotIn("\x1b", table)
            self.assertRegex(table, r"(?m)^[A-Z/ ]+$")
        self.assertRegex(
            self.ask("upstream", "endpoints", "-o", "table"),
            r"^ENDPOINT +UPSTREAMS\nmy-endpoint +2\nother +1\n$",
        )

    def test_wrong_use(self) -> None:
        """
        Exit status 2, and a line that says what would be right.
        """
        for arguments, text in [
            (["cluser"], "Did you mean 'cluster'?"),
            (["cluster", "nods"], "Did you mean 'nodes'?"),
            (["upstream", "xyz"], "There are endpoints, tunnels."),
            (["cluster", "node", "a", "b"], "unexpected extra argument"),
            (["cluster", "nodes", "-o", "xml"], "'yaml', 'json', 'table'"),
            (["cluster", "nodes", "--watch=5"], "500ms"),
            (["cluster", "nodes", "--watch=1ms"], "100ms"),
            (["upstream", "tunnels", "--limit=0"], "1<=x<=10000"),
            (["upstream", "tunnels", "--limits=1"], "--limit"),
        ]:
            result = pico("status", *arguments)
            self.assertEqual((result.returncode, result.stdout), (2, ""), arguments)
            self.assertIn(text, result.stderr, arguments)
        for url in ("ftp://localhost", "http://localhost:x", "http://u:secret@localhost", "http://localhost?forward=x"):
            message = self.refused("cluster", "nodes", status=2, url=url)
            self.assertIn("--server.url", message)
            self.assertNotIn("secret", message)

    def test_nobody_answers(self) -> None:
        """
        One line says what was tried, what happened and what to do.
        """
        port = free_port()
        for command in COMMANDS:
            message = self.refused(*command, status=1, url=f"http://127.0.0.1:{port}")
            self.assertEqual(
                message,
                f"pico: cannot ask http://127.0.0.1:{port}: connection refused; is a node running there, and is this "
                "its admin port? --server.url names another one\n",
            )
        message = self.refused("cluster", "nodes", status=1, url="http://nobody.invalid:8002")
        self.assertIn("cannot ask http://nobody.invalid:8002: ", message)

    def test_somebody_else_answers(self) -> None:
        """
        Another port of the node is not taken for an admin port.
        """
        for port in (self.node.proxy, self.node.upstream):
            message = self.refused("cluster", "nodes", status=1, url=f"http://127.0.0.1:{port}")
            self.assertIn("is this the admin port of a node?", message)
            self.assertEqual(message.count("\n"), 1)

    def test_pipe_closed(self) -> None:
        """
        A reader that has seen enough ends a watch, silently.
        """
        command = f"{' '.join(PICO)} status upstream endpoints -w 100ms --server.url=http://localhost:{self.node.admin}"
        result = run(["sh", "-c", f"{command} | head -2"])
        self.assertEqual((result.stdout, result.stderr), ("my-endpoint: 2\nother: 1\n", ""))


class StrangeAnswerTests(SystemTestCase):
    """
    A port that answers with what the test says.
    """

    def ask(self, answer: bytes, *, end: bool = True) -> str:
        """
        Ask it.

        :return: the error.
        """
        with socket.create_server(("127.0.0.1", 0)) as listening:

            def serve() -> None:
                connection, _ = listening.accept()
                with connection:
                    connection.recv(65_536)
                    connection.sendall(answer)
                    if not end:
                        connection.recv(65_536)

            thread = threading.Thread(target=serve, daemon=True)
            thread.start()
            url = parse_admin_url(f"127.0.0.1:{listening.getsockname()[1]}")
            error = self.assertRaises(PicoError, fetch, url, "/x", 0.5)
            thread.join()
        return str(error)

    def test_answers(self) -> None:
        """
        Each is one line that says what is wrong with it.
        """
        head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s"
        for answer, text in [
            (b"SSH-2.0-x\r\n", "does not speak HTTP"),
            (b"", "closed connection without response"),
            (head % (9, b"<html>x\n\n"), "not JSON"),
            (head % (100_000, b"[" * 100_000), "not JSON"),
            (head % (10, b"{}"), "broke off"),
            (b"HTTP/1.1 302 Found\r\nLocation: http://elsewhere/\r\nContent-Length: 0\r\n\r\n", "status 302"),
            (b'HTTP/1.1 500 x\r\nContent-Length: 22\r\n\r\n{"error":"x\\u001b[2J"}', "status 500 (x\ufffd[2J)"),
        ]:
            error = self.ask(answer)
            self.assertIn(text, error)
            self.assertNotIn("\x1b", error)
            self.assertNotIn("\n", error)

    def test_silence(self) -> None:
        """
        Who says nothing is not waited for without end.
        """
        self.assertIn("no answer within 500ms", self.ask(b"HTTP/1.1 200 OK\r\n", end=False))

    def test_too_much(self) -> None:
        """
        An answer without end is not read to it.
        """
        with socket.create_server(("127.0.0.1", 0)) as listening:

            def serve() -> None:
                connection, _ = listening.accept()
                with connection:
                    connection.recv(65_536)
                    try:
                        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                        while True:
                            connection.sendall(b" " * 1_000_000)
                    except OSError:
                        return

            thread = threading.Thread(target=serve, daemon=True)
            thread.start()
            url = parse_admin_url(f"127.0.0.1:{listening.getsockname()[1]}")
            error = self.assertRaises(PicoError, fetch, url, "/x", 30.0)
            thread.join()
        self.assertIn(f"larger than {MAX_ANSWER} bytes", str(error))


class WatchTests(SystemTestCase):
    """
    ``--watch``.
    """

    def setUp(self) -> None:
        super().setUp()
        self.service = self.scene.run(HTTPService("s"))
        self.node = self.scene.node()
        self.scene.agent(self.node, "my-endpoint", self.service.port)

    def watch(self, *arguments: str, terminal: int | None = None, environment: dict[str, str] | None = None) -> Program:
        """
        Start watching tunnels.
        """
        url = f"--server.url=http://127.0.0.1:{self.node.admin}"
        command = [*PICO, "status", "upstream", "tunnels", "--watch=200ms", url, *arguments]
        return self.scene.start("watch", command, stdout=terminal, environment=environment)

    def terminal(self) -> tuple[int, Callable[[], str], Callable[[], object]]:
        """
        Make a terminal of 24 lines and 120 columns.

        :return: the program's end of it, what was written to it, and its settings.
        """
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 120, 0, 0))
        self.addCleanup(os.close, master)
        self.addCleanup(os.close, slave)
        written = bytearray()

        def read() -> None:
            while True:
                try:
                    written.extend(os.read(master, 65_536))
                except OSError:
                    return

        threading.Thread(target=read, daemon=True).start()
        return slave, lambda: written.decode("utf-8", "replace"), lambda: termios.tcgetattr(slave)

    def test_live(self) -> None:
        """
        A table is redrawn in place, with rates; it outlives the node, and the terminal is as it was before.
        """
        slave, written, settings = self.terminal()
        before = settings()
        program = self.watch(terminal=slave, environment={"TERM": "xterm-256color"})

        def shows(text: str) -> Callable[[], bool]:
            return lambda: text in _last_picture(written())

        eventually(shows("my-endpoint"), "the table")
        self.assertIn("REQ/S", _last_picture(written()))

        def busy() -> bool:
            self.node.fetch("/x", endpoint="my-endpoint")
            return re.search(r"active .* [1-9]\d*\.\d ", _last_picture(written())) is not None

        eventually(busy, "a rate")
        self.node.program.kill()
        eventually(shows("connection refused"), "the reason why there is no answer")
        self.assertIn("my-endpoint", _last_picture(written()))
        self.node.restart()
        self.node.wait_for_tunnels("my-endpoint")
        eventually(
            lambda: "refused" not in _last_picture(written()) and "my-endpoint" in _last_picture(written()),
            "the table again",
        )
        program.signal(signal.SIGINT)
        self.assertEqual(program.wait(), 0)
        self.assert_clean(written)
        self.assertEqual(settings(), before)
        self.assertNotRegex(written(), r"\x1b\[[0-9]*[JK]")
        self.assertNotIn("Traceback", written())

    def test_terminated(self) -> None:
        """
        A watch that is told to end gives the terminal back as well.
        """
        slave, written, _ = self.terminal()
        program = self.watch(terminal=slave, environment={"TERM": "xterm", "NO_COLOR": "1"})
        eventually(lambda: "my-endpoint" in _last_picture(written()), "the table")
        program.terminate()
        self.assertEqual(program.wait(), 128 + signal.SIGTERM)
        self.assert_clean(written)
        self.assertNotRegex(written(), r"\x1b\[[0-9;]*3[0-9]m")

    def test_dumb_terminal(self) -> None:
        """
        On a terminal that cannot be drawn on there are documents.
        """
        slave, written, _ = self.terminal()
        program = self.watch(terminal=slave, environment={"TERM": "dumb"})
        eventually(lambda: written().count("total: 1") >= 2, "two documents")
        program.signal(signal.SIGINT)
        self.assertEqual(program.wait(), 0)
        self.assertNotIn("\x1b", written())

    def test_no_terminal(self) -> None:
        """
        Without a terminal there is a document each time, also when the node was away.
        """
        program = self.watch("-o", "json")
        eventually(lambda: program.log.count("\n") >= 2, "two lines")
        self.node.program.kill()
        eventually(lambda: "connection refused" in program.log, "the reason why there is no answer")
        self.node.restart()
        self.node.wait_for_tunnels("my-endpoint")
        seen = program.log.count("\n")
        eventually(lambda: program.log.count("\n") >= seen + 2, "further lines")
        program.signal(signal.SIGINT)
        self.assertEqual(program.wait(), 0)
        documents = [json.loads(line) for line in program.log.splitlines() if not line.startswith("pico: ")]
        self.assertEqual(documents[-1]["tunnels"][0]["endpoint"], "my-endpoint")
        self.assertEqual(program.log.count("connection refused"), 1)

    def assert_clean(self, written: Callable[[], str]) -> None:
        """
        The other screen was left, and the cursor can be seen.
        """
        text = eventually(lambda: written() if "\x1b[?1049l" in written() else "", "the terminal given back")
        for begin, end in (("\x1b[?1049h", "\x1b[?1049l"), ("\x1b[?25l", "\x1b[?25h")):
            self.assertLess(text.rindex(begin), text.rindex(end))


def _last_picture(text: str) -> str:
    """
    What stands on the screen: the last picture that was drawn to its end.
    """
    pictures = text.split("\x1b[H")
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", pictures[-1] if len(pictures) < 3 else pictures[-2])
