"""
Every command of ``pico``, used rightly and wrongly: what it prints where, and how it ends.

The commands are taken from the program itself, so one that is added without a case here is noticed.
"""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from typing import ClassVar

import attrs

from tests.cli.invoking import commands
from tests.system.case import Node, Scene, SharedSceneTestCase, SystemTestCase, run
from tests.system.processes import DEADLINE, PICO, ROOT, clean_environment, free_port
from tests.system.services import HTTPService
from tests.tools import tool

JSON = r"(?s)^[\[{].*[\]}]\n$"


@attrs.frozen
class Use:
    """
    A use of a command.

    :ivar line: what stands behind the command's name; ``{proxy}``, ``{upstream}``, ``{admin}`` and ``{service}`` are
        ports of a node and its service, ``{free}`` is another each time, ``{folder}`` a directory.
    :ivar status: how it ends.
    :ivar out: a pattern that its standard output matches; empty for no output at all.
    :ivar err: the same for standard error.
    :ivar until: it runs until it is stopped; a pattern to wait for in all its output before that.
    """

    line: str
    status: int = 0
    out: str = ""
    err: str = ""
    until: str = ""


def wrong(line: str, err: str) -> Use:
    """
    A use that is not understood.
    """
    return Use(line, 2, "", rf"^pico[ a-z]*: {err}.*\nTry 'pico[ a-z]* --help'\.\n$")


_BIND = " ".join(f"--{name}.bind-addr=127.0.0.1:{{free}}" for name in ("proxy", "upstream", "admin", "cluster.gossip"))
_ANY_PORTS = "--proxy-port=0 --upstream-port=0 --admin-port=0"
_TO = "--connect.url=http://127.0.0.1:{upstream}"
_ADMIN = "--server.url=http://127.0.0.1:{admin}"
_BENCH = "--connect.upstream-url=http://127.0.0.1:{upstream}"

CASES: Mapping[str, Sequence[Use]] = {
    "": (
        Use("", out="(?s)^Usage: pico.*Commands:.*server"),
        Use("--version", out=r"^pico \d\S+\n$"),
        wrong("serve", "No such command 'serve'. Did you mean 'server'"),
        wrong("--nonsense", "No such option '--nonsense'"),
    ),
    "agent": (
        Use("--endpoints=x/127.0.0.1:{service} " + _TO, until="x: connected to"),
        Use(
            "--endpoints=x/4000 --connect.url=http://127.0.0.1:{free}",
            # Only what comes later is written by something that signals reach.
            until=r"x: cannot connect to .*dialling again",
        ),
        wrong("", "nothing to expose"),
        wrong("--endpoints=x", "Invalid value for '--endpoints': 'x' is not ENDPOINT/ADDR"),
        wrong("htp x 4000", "No such command 'htp'. Did you mean 'http'"),
        Use("--endpoints=x/1 --connect.url=nonsense", 2, "", "^pico: .*nonsense.*\n$"),
    ),
    "agent http": (
        Use("x 127.0.0.1:{service} " + _TO, until="x: connected to"),
        wrong("x", "Missing argument 'ADDR'"),
        wrong("x nonsense", "ADDR: 'nonsense' has no port"),
        wrong("x 4000 --conect.url=x", "No such option '--conect.url'. Did you mean '--connect.url'"),
        wrong("x 4000 --timeout=soon", "--timeout: 'soon' is not a duration"),
        wrong("x 4000 --rewrite-host=perhaps", "--rewrite-host: 'perhaps' is neither true nor false"),
    ),
    "agent start": (
        Use("--config.path={folder}/agent.yaml", until="from-file: connected to"),
        Use("", 1, "", "^pico: no listeners configured.*\n$"),
        Use("--config.path={folder}/none.yaml", 1, "", "^pico: cannot read .*none.yaml: .*\n$"),
        wrong("extra", "Got unexpected extra argument"),
    ),
    "server": (
        Use(_BIND, until="ready: proxy"),
        Use(_BIND + " --proxy.bind-addr=127.0.0.1:{proxy}", 1, "", "pico: cannot listen on .*proxy.bind_addr"),
        Use("--log.level=loud", 2, "", "^pico: --log.level: 'loud' is not one of .*\n$"),
        wrong("--proxy.bind-adr=:1", "No such option '--proxy.bind-adr'. Did you mean '--proxy.bind-addr'"),
        wrong("--log.level", "Option '--log.level' requires an argument"),
    ),
    "status": (wrong("", "Which command"), wrong("clutser", "No such command 'clutser'. Did you mean 'cluster'")),
    "status cluster": (wrong("", "Which command"), wrong("noods", "No such command 'noods'")),
    "status cluster nodes": (
        Use(_ADMIN, out="^nodes:\n- id: "),
        Use(_ADMIN + " -o json", out=JSON),
        Use("--server.url=http://127.0.0.1:{free}", 1, "", "^pico: .*connection refused.*\n$"),
        Use(_ADMIN + " --status=left", out="^nodes: \\[\\]\n$"),
        Use(_ADMIN + " --forward=nobody", 1, "", "^pico: .*no node nobody is known here.*\n$"),
        wrong("-o xml", "Invalid value for '-o'"),
        wrong("--status=dead", "Invalid value for '--status'"),
    ),
    "status cluster node": (
        Use(_ADMIN, out="(?s)^id: .*\nendpoints:"),
        Use(_ADMIN + " local -o json", out=JSON),
        Use(_ADMIN + " nobody", 1, "", "^pico: .*no node nobody is known here.*\n$"),
        wrong("a b", "Got unexpected extra argument"),
    ),
    "status gossip": (wrong("", "Which command"), wrong("noods", "No such command 'noods'")),
    "status gossip nodes": (
        Use(_ADMIN, out="(?s)^nodes:\n- id: .*\n  expiry: 0001-01-01T00:00:00Z\n\n$"),
        Use(_ADMIN + " -o json", out=JSON),
        wrong("--nonsense", "No such option '--nonsense'"),
    ),
    "status gossip node": (
        Use(_ADMIN, out="(?s)^nodemetadata:\n  id: .*\nentries:\n- key: .*\n\n$"),
        Use(_ADMIN + " local -o json", out=JSON),
        Use(_ADMIN + " nobody", 1, "", "^pico: .*no node nobody is known here.*\n$"),
        wrong("--limit=0", "Invalid value for '--limit'"),
    ),
    "status proxy": (wrong("", "Which command"), wrong("endpoint", "No such command 'endpoint'")),
    "status proxy endpoints": (
        Use(_ADMIN, out="^endpoints:"),
        Use(_ADMIN + " -o json", out=JSON),
        wrong("--nonsense", "No such option '--nonsense'"),
    ),
    "status upstream": (wrong("", "Which command"), wrong("endpoint", "No such command 'endpoint'")),
    "status upstream endpoints": (
        Use(_ADMIN, out="^(\\{\\}|\\S+: \\d+)\n"),
        Use(_ADMIN + " -o json", out=JSON),
        wrong("--nonsense", "No such option '--nonsense'"),
    ),
    "status upstream tunnels": (
        Use(_ADMIN, out="(?m)^tunnels:"),
        Use(_ADMIN + " --endpoint=nobody -o json", out=JSON),
        wrong("--limit=0", "Invalid value for '--limit'"),
        wrong("--watch=often", "Invalid value for '-w' / '--watch'"),
    ),
    "drain": (
        Use(_ADMIN, out=r"^node \S+ is leaving(, as before)?; it has \d+ tunnels?\n$"),
        Use("--server.url=http://127.0.0.1:{free}", 1, "", "^pico: .*connection refused.*\n$"),
        wrong("-o xml", "Invalid value for '-o'"),
    ),
    "undrain": (
        Use(_ADMIN, out=r"^node \S+ is active; it has \d+ tunnels?\n$"),
        Use(_ADMIN + " -o json", out=JSON),
        Use(_ADMIN + " --forward=nobody", 1, "", "^pico: .*no node nobody is known here.*\n$"),
        wrong("all", "Got unexpected extra argument"),
    ),
    "config": (wrong("", "Which command"), wrong("chek", "No such command 'chek'. Did you mean 'check'")),
    "config check": (
        Use("", out="^environment and flags: a valid configuration of a node\n$"),
        Use("{folder}/agent.yaml", out="^.*/agent.yaml: a valid configuration of an agent\n$"),
        Use("--admin.bind-addr=x --proxy.timeout=1", 2, "", "^--admin.bind-addr: 'x' .*\n--proxy.timeout: '1' .*\n$"),
        Use("{folder}/none.yaml", 2, "", "^pico: cannot read .*none.yaml: .*\n$"),
        wrong("--proxy.bind-adr=:1", "No such option '--proxy.bind-adr'. Did you mean '--proxy.bind-addr'"),
        wrong("server agent", "too many arguments"),
    ),
    "config show": (
        Use("server", out='(?m)^  bind_addr: ":8000" +# default$'),
        Use("agent -o json", out=JSON),
        Use("--admin.bind-addr=x", 2, "", "^--admin.bind-addr: 'x' has no port.*\n$"),
        wrong("-o xml", "Invalid value for '-o'"),
    ),
    "config docs": (Use("", out="^# Configuration reference\n"), wrong("extra", "Got unexpected extra argument")),
    "doctor": (
        Use("--config.path={folder}/agent.yaml", out="(?s)^ok    configuration.*\nagent: \\d+ ok"),
        Use("--config.path={folder}/agent.yaml -o json", out=JSON),
        Use("--config.path={folder}/none.yaml", 1, "^fail  configuration .*cannot read", ""),
        wrong("--timeout=0", "Invalid value for --timeout: 0 is too short"),
        wrong("--config.expand-env=perhaps", "--config.expand-env: 'perhaps' is neither true nor false"),
        wrong("node", "No such command 'node'"),
    ),
    "doctor server": (
        Use(_BIND, out="\nnode: \\d+ ok"),
        Use(_BIND + " --admin.bind-addr=127.0.0.1:{proxy}", 1, "fail  admin port .*in use", ""),
        wrong("-o yaml", "Invalid value for '-o'"),
    ),
    "doctor agent": (
        Use(_TO + " --endpoints=x/127.0.0.1:{service}", out="\nagent: \\d+ ok"),
        Use("--connect.url=http://127.0.0.1:{free}", 1, "fail  node .*connection refused", ""),
        wrong("--endpoints=x", "Invalid value for '--endpoints': 'x' is not ENDPOINT/ADDR"),
    ),
    "health": (
        Use("--server.url=http://127.0.0.1:{admin}", out="^healthy\n$"),
        Use("--ready --server.url=127.0.0.1:{admin}", out="^ready\n$"),
        Use("--server.url=http://127.0.0.1:{free}", 1, "", "^pico: cannot ask .*connection refused"),
        wrong("--timeout=soon", "'soon' is not a duration"),
        wrong("--timeout=0s", "--timeout 0s leaves no time for an answer"),
        wrong("--server.url=ftp://x", "'ftp://x' is not the URL of an admin port"),
    ),
    "demo": (Use("", until="curl "), wrong("clutser", "No such command 'clutser'. Did you mean 'cluster'")),
    "demo cluster": (
        Use("--nodes=2 --no-sample " + _ANY_PORTS, until="pico agent --endpoints"),
        wrong("--nodes=0", "Invalid value for '--nodes': 0 is not in the range"),
        wrong("--proxy-port=70000", "Invalid value for '--proxy-port': 70000 is not in the range"),
        wrong("extra", "Got unexpected extra argument"),
    ),
    "bench": (wrong("", "Which command"), wrong("htp", "No such command 'htp'. Did you mean 'http'")),
    "bench http": (
        Use(
            "--requests=50 --clients=5 --upstreams=4 --endpoints=2 --connect.proxy-url=http://127.0.0.1:{proxy} "
            + _BENCH,
            out="(?s)^tunnels     4 of 4 .*requests    50 of 50 .*errors      0\n$",
        ),
        Use(
            "--requests=5 --upstreams=1 --endpoints=1 -o json --connect.proxy-url=http://127.0.0.1:{proxy} " + _BENCH,
            out=JSON,
        ),
        Use(
            "--requests=3 --clients=1 --upstreams=0 --connect.proxy-url=http://127.0.0.1:{proxy}",
            1,
            "errors      3\n +3  status 502\n$",
        ),
        Use("--upstreams=0 --connect.proxy-url=http://127.0.0.1:{free}", 1, "", "^pico: cannot connect to http.*\n$"),
        wrong("--clients=0", "--clients must be from 1"),
        wrong("--size=3x", "--size: '3x' is not a size"),
        wrong("--endpoints=200", "--endpoints 200 is more than --upstreams 100"),
    ),
    "bench upstreams": (
        Use("--upstreams=5 --endpoints=5 --duration=1ms " + _BENCH, out="^tunnels     5 of 5 (.|\n)*lost        0\n$"),
        Use("--upstreams=5 --endpoints=5 --duration=1ms -o json " + _BENCH, out=JSON),
        Use("--upstreams=5 --endpoints=5 " + _BENCH, until="failures    0"),
        wrong("--duration=soon", "--duration: 'soon' is not a duration"),
        wrong("--upstreams=many", "Invalid value for '--upstreams'"),
    ),
    "bench nginx": (
        Use("--only=speed", 2, "", "^pico bench nginx: nothing is called speed.*\n$"),
        wrong("extra", "Got unexpected extra argument"),
    ),
    "completion": (
        Use("bash", out="^# Completion of pico for bash"),
        Use("zsh", out="^#compdef pico"),
        Use("fish", out="^# Completion of pico for fish"),
        wrong("", "Missing argument"),
        wrong("tcsh", "Invalid value for"),
    ),
    "help": (
        Use("", out="(?s)^Usage: pico .*Commands:"),
        Use("agent http", out="^Usage: pico agent http "),
        wrong("agnet", "No such command 'agnet'. Did you mean 'agent'"),
    ),
    "version": (
        Use("", out=r"^pico \S+\npython \S+\ntwisted \S+\nplatform \S+\n$"),
        Use("-o json", out=JSON),
        wrong("-o xml", "Invalid value for '-o'"),
    ),
}

_NOT_FOR_PEOPLE = re.compile(r"Traceback|\x1b")


class EveryCommandTests(SharedSceneTestCase):
    """
    Each command in turn, beside a node with an agent.
    """

    node: ClassVar[Node]
    service: ClassVar[HTTPService]

    @classmethod
    def set_scene(cls, scene: Scene) -> None:
        """
        Start a node, and what commands ask for.
        """
        cls.node = scene.node()
        cls.service = scene.run(HTTPService("s"))
        (scene.directory / "agent.yaml").write_text(
            f"connect: {{url: 'http://127.0.0.1:{cls.node.upstream}'}}\n"
            f"listeners:\n- {{endpoint_id: from-file, addr: '127.0.0.1:{cls.service.port}', timeout: 10s}}\n"
        )

    def command(self, path: str, use: Use) -> list[str]:
        """
        The whole command line of a use.
        """
        words = []
        for word in use.line.split():
            words.append(
                word.format(
                    proxy=self.node.proxy,
                    upstream=self.node.upstream,
                    admin=self.node.admin,
                    service=self.service.port,
                    free=free_port(),
                    folder=self.scene.directory,
                )
            )
        return [*PICO, *path.split(), *words]

    def test_all_are_here(self) -> None:
        """
        Each command has cases: one that is understood, unless it is a group, and one that is not.
        """
        self.assertEqual({" ".join(path) for path, _ in commands()}, set(CASES))
        for path, uses in CASES.items():
            self.assertIn(2, [use.status for use in uses], path)

    def test_that_end(self) -> None:
        """
        Results are on standard output, everything else on standard error, and the status says how it went.
        """
        for path, uses in CASES.items():
            for use in uses:
                if use.until:
                    continue
                command = self.command(path, use)
                result = run(command)
                shown = f"{' '.join(command[len(PICO) :])}\n--- out\n{result.stdout}\n--- err\n{result.stderr}"
                self.assertEqual(result.returncode, use.status, shown)
                for text, pattern in ((result.stdout, use.out), (result.stderr, use.err)):
                    self.assertTrue(re.search(pattern, text) if pattern else not text, shown)
                    self.assertIsNone(_NOT_FOR_PEOPLE.search(text), shown)
                if use.out == JSON:
                    json.loads(result.stdout)
                if use.status == 2:
                    self.assertLessEqual(len(result.stderr.splitlines()), 2, shown)

    def test_that_run(self) -> None:
        """
        What runs until it is stopped ends well when it is.
        """
        for path, uses in CASES.items():
            for use in uses:
                if use.until:
                    program = self.scene.start("command", self.command(path, use))
                    program.wait_for_log(use.until)
                    program.signal(signal.SIGINT)
                    self.assertEqual(program.wait(), use.status, f"{path}: {program.log}")
                    self.assertIsNone(_NOT_FOR_PEOPLE.search(program.log), program.log)

    def test_comparison(self) -> None:
        """
        The comparison with nginx runs where its tools are.
        """
        tool("wrk")
        result = run([*PICO, "bench", "nginx", "--quick", "--only=ready"])
        self.assertEqual((result.returncode, "ready" in result.stdout), (0, True), result.stderr)

    def test_comparison_of_two_nodes(self) -> None:
        """
        What is measured over two nodes goes over the link between them.
        """
        tool("wrk")
        result = run([*PICO, "bench", "nginx", "--quick", "--only=nodes"], timeout=300)
        self.assertIn("Pico, two nodes", result.stdout, result.stderr)
        self.assertNotIn("crossed the link", result.stdout)


class TerminalTests(SystemTestCase):
    """
    Commands on a terminal.
    """

    def show(self, *arguments: str, stop: str = "", **environment: str) -> tuple[int, str]:
        """
        Run a command on a terminal of its own, to its end.

        :param stop: what to wait for before Ctrl-C.
        :return: its exit status and all that it wrote.
        """
        mine, theirs = pty.openpty()
        try:
            variables = {"TERM": "xterm", "COLUMNS": "80", **environment}
            program = subprocess.Popen(
                [*PICO, *arguments],
                stdin=theirs,
                stdout=theirs,
                stderr=theirs,
                env=clean_environment(variables),
                cwd=ROOT,
                start_new_session=True,
            )
            self.addCleanup(program.kill)
        finally:
            os.close(theirs)
        seen = b""
        end = time.monotonic() + DEADLINE
        while select.select([mine], [], [], max(0.0, end - time.monotonic()))[0]:
            try:
                data = os.read(mine, 65_536)
            except OSError:
                break  # its last process has closed the terminal
            seen += data
            if stop and stop.encode() in seen:
                program.send_signal(signal.SIGINT)
                stop = ""
        os.close(mine)
        return program.wait(DEADLINE), seen.decode()

    def test_colours(self) -> None:
        """
        Colours are for terminals, and for those who want them.
        """
        command = ("doctor", "agent", f"--connect.url=http://127.0.0.1:{free_port()}")
        _, text = self.show(*command)
        self.assertIn("\x1b[32mok  \x1b[0m", text)
        self.assertIn("\x1b[31mfail\x1b[0m", text)
        self.assertIn("looking at node ...", text)
        _, text = self.show(*command, NO_COLOR="1")
        self.assertNotIn("\x1b[3", text)
        _, text = self.show(*command, TERM="dumb")
        self.assertNotIn("\x1b", text)
        self.assertIn("\x1b[1mOptions:", self.show("version", "--help")[1])
        self.assertNotIn("\x1b", self.show("version", "--help", NO_COLOR="1")[1])

    def test_width(self) -> None:
        """
        Help and findings fit the terminal.
        """
        for command in (("server", "--help"), ("doctor", "agent", f"--connect.url=http://127.0.0.1:{free_port()}")):
            for columns in (70, 100):
                _, text = self.show(*command, COLUMNS=str(columns), TERM="dumb")
                lines = [line for line in text.splitlines() if not line.startswith("    pico ")]
                self.assertLessEqual(max(map(len, lines)), columns, text)

    def test_progress(self) -> None:
        """
        A bar shows how far it is; Ctrl-C ends it with what was measured.
        """
        node = self.scene.node()
        urls = [
            f"--connect.proxy-url=http://127.0.0.1:{node.proxy}",
            f"--connect.upstream-url=http://127.0.0.1:{node.upstream}",
        ]
        status, text = self.show("bench", "http", *urls, "--rate=50", "--clients=5", stop="of 100,000 requests, ")
        self.assertEqual(status, 130, text)
        self.assertRegex(text, r"\r\x1b\[K\[#*\.*\] +\d+%  \d+ of 100,000 requests, \d+/s, 0 failed")
        self.assertRegex(text, r"\r\x1b\[Krequests    \d+ of 100,000 \(interrupted\)")
        self.assertRegex(text, r"errors      0\r\n$")
