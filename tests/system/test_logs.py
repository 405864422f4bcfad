"""
What node and agent write about themselves: where, in which form, how much, and what never.
"""

from __future__ import annotations

import json
import os
import re
import select
import signal
import socket
import subprocess
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

from tests.system.case import Node, Scene, Settings, SystemTestCase, flags, pico, run
from tests.system.http_client import Client, Response, fetch, request_bytes
from tests.system.processes import PICO, ROOT, Program, eventually, free_port
from tests.system.services import HTTPService
from tests.system.test_daemon import TWISTD
from tests.tools import tool

Record = dict[str, object]

#: What an agent begins with.
UPGRADE = (
    b"GET /pico/v1/upstream/e HTTP/1.1\r\nHost: node\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


class DetachedNode:
    """
    A node whose output is not for the harness to read.
    """

    def __init__(
        self,
        scene: Scene,
        settings: Settings,
        *,
        stdout: int | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.proxy, self.upstream, self.admin = free_port(), free_port(), free_port()
        binds = {f"{name}.bind_addr": f"127.0.0.1:{getattr(self, name)}" for name in ("proxy", "upstream", "admin")}
        binds["cluster.gossip.bind_addr"] = "127.0.0.1:0"
        command = [*PICO, "server", *flags({**binds, **settings})]
        self.program = scene.start("node", command, stdout=stdout, environment=environment)
        eventually(lambda: fetch(self.admin, "/ready").status == 200, "the node to be ready")

    def serve(self, scene: Scene, service: HTTPService, settings: Settings | None = None) -> Program:
        """
        Start an agent, and wait until it serves the endpoint ``e``.
        """
        agent = scene.agent(self.upstream, "e", service.port, settings, connected=None)
        eventually(lambda: fetch(self.proxy).status == 200, "the endpoint to be served")
        return agent


def records(text: str) -> list[Record]:
    """
    Read lines of JSON; every line must be one.
    """
    found = []
    for line in text.splitlines():
        assert line.isascii() and line.isprintable(), line
        found.append(cast(Record, json.loads(line)))
    return found


def requests_in(text: str, subsystem: str) -> list[Record]:
    """
    The lines of an access log.
    """
    return [record for record in records(text) if record["subsystem"] == subsystem]


class FormatTests(SystemTestCase):
    """
    Lines for people and for programs.
    """

    def test_json(self) -> None:
        """
        Every line is an object with the fixed fields, and a request's has the fields of the manual.
        """
        node = DetachedNode(self.scene, {"log.format": "json", "log.level": "debug", "cluster.node_id": "n1"})
        agent = node.serve(self.scene, self.scene.run(HTTPService("s")), {"log.format": "json"})
        fetch(node.proxy, "/x?y=1", headers=[("X-Request-Id", "r1")])
        fetch(node.proxy, "/", endpoint="nobody", headers=[("X-Request-Id", "r2")])
        for program in (node.program, agent):
            program.terminate()
            self.assertEqual(program.wait(), 0)
        # What the agent says on standard output is for people.
        said = "\n".join(line for line in agent.log.splitlines() if line.startswith("{"))
        for record in records(node.program.log) + records(said):
            self.assertRegex(cast(str, record["time"]), r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
            self.assertIn(record["level"], ("debug", "info", "warn", "error"))
            self.assertIn("subsystem", record)
            self.assertIn("message", record)
        served, refused = requests_in(node.program.log, "proxy.access")[-2:]
        self.assertGreaterEqual(cast(float, served["seconds"]), cast(float, served["head_seconds"]))
        for name, pattern in (
            ("tunnel", r"^127\.0\.0\.1:\d+$"),
            ("time", "Z"),
            ("seconds", "^[0-9.]+$"),
            ("head_seconds", "^[0-9.]+$"),
        ):
            self.assertRegex(str(served.pop(name)), pattern)
        self.assertEqual(
            served,
            {
                "level": "info",
                "subsystem": "proxy.access",
                "message": "request",
                "client": "127.0.0.1",
                "method": "GET",
                "path": "/x?y=1",
                "status": 200,
                "endpoint": "e",
                "node": "n1",
                "request_bytes": 0,
                "response_bytes": 14,
                "retries": 0,
                "ended": "complete",
                "request_id": "r1",
            },
        )
        told = {name: refused.get(name) for name in ("level", "status", "ended", "tunnel", "request_id")}
        expected = {"level": "warn", "status": 502, "ended": "no backend", "tunnel": None, "request_id": "r2"}
        self.assertEqual(told, expected)

    def test_text(self) -> None:
        """
        A line has time, level and subsystem in columns, and no colour where nobody looks.
        """
        node = self.scene.node()
        agent = self.scene.agent(node, "e", self.scene.run(HTTPService("s")).port)
        node.fetch("/x?y=1", headers=[("X-Request-Id", "r1")])
        node.program.wait_for_log(
            r"(?m)^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} info  "
            r"proxy\.access: GET /x\?y=1 200 e 127\.0\.0\.1 [\d.]+ms 14B id=r1$"
        )
        agent.wait_for_log(r"info  proxy\.http\.access: GET /x\?y=1 200 e 127\.0\.0\.1 [\d.]+ms 14B id=r1\n")
        for line in node.program.log.splitlines():
            self.assertRegex(line, r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} (info |warn ) [a-z.]+: +\S")

    def test_hostile(self) -> None:
        """
        Whatever a client sends, it is on one line, and nothing of it commands a terminal.
        """
        chosen = {
            "proxy.access_log.request_headers.allow_list": "*",
            "proxy.access_log.response_headers.allow_list": "*",
        }
        for form in ("text", "json"):
            node = DetachedNode(self.scene, {"log.format": form, **chosen})
            for value in (b"\x9b31m", b"\xc2\x9b31m", b"\xe2\x80\xae\xe2\x80\xa8", b"\xff\xfe", b"a" * 20_000):
                with Client(node.proxy) as client:
                    client.send(
                        b"GET /%0a%1b[31m HTTP/1.1\r\nHost: a\r\nX-Value: " + value + b"\r\n"
                        b"x-pico-endpoint: \xc2\x9b" + value[:8] + b"\xc2\x9b\r\n\r\n"
                    )
                    self.assertIn(client.response().status, (400, 502))
            node.program.terminate()
            self.assertEqual(node.program.wait(), 0)
            lines = node.program.log_path.read_bytes().decode("utf-8").split("\n")
            self.assertEqual(len([line for line in lines if "x-value" in line]), 5)
            for line in lines:
                self.assertTrue(line.isprintable() and len(line) < 20_000, line)

    def test_journal(self) -> None:
        """
        What the journal reads has priorities and no time; JSON is JSON there as well.
        """
        for form in ("text", "json"):
            ours, theirs = socket.socketpair()
            with ours, theirs:
                status = os.fstat(theirs.fileno())
                node = DetachedNode(
                    self.scene,
                    {"log.format": form},
                    stdout=theirs.fileno(),
                    environment={"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"},
                )
                fetch(node.proxy, "/x", endpoint="nobody")
                node.program.terminate()
                self.assertEqual(node.program.wait(), 0)
                theirs.close()
                text = ours.makefile("rb").read().decode()
            if form == "text":
                self.assertRegex(text, r"(?m)^<6>server:       pico node \w+ ready: ")
                self.assertRegex(text, r"\n<4>proxy\.access: GET /x 502 nobody ")
                self.assertTrue(all(line[:3] in ("<6>", "<4>") for line in text.splitlines()), text)
            else:
                records(text)


class IdTests(SystemTestCase):
    """
    One request in everybody's log.
    """

    def test_end_to_end(self) -> None:
        """
        The id of a client, or else the node's, is the one that the service sees and that both logs have.
        """
        node = self.scene.node({"log.format": "json"})
        service = self.scene.run(HTTPService("s"))
        agent = self.scene.agent(node, "e", service.port, {"log.format": "json"})
        seen = []
        with node.client() as client:
            for headers in ([("X-Request-Id", "mine")], [], [], [("X-Request-Id", "not mine")]):
                client.send(request_bytes("GET", "/describe", headers=headers))
                described = cast("dict[str, list[list[str]]]", client.response().json())
                seen += [value for name, value in described["headers"] if name == "x-request-id"]
        self.assertEqual(seen[0], "mine")
        self.assertEqual(len(set(seen)), 4)
        self.assertTrue(all(re.fullmatch("[0-9a-f]{32}", each) for each in seen[1:]), seen)

        def logged(program: Program, subsystem: str) -> list[object]:
            # An agent says something else first, and the last line may be half written.
            lines = [line for line in program.log.splitlines(keepends=True) if line[0] == "{" and line[-1] == "\n"]
            return [record["request_id"] for record in requests_in("".join(lines), subsystem)]

        eventually(lambda: logged(node.program, "proxy.access") == seen, "the node to have logged them")
        eventually(lambda: logged(agent, "proxy.http.access") == seen, "the agent to have logged them")

    def test_errors(self) -> None:
        """
        An error names the request, to programs and to people; the one that the agent makes too.
        """
        node = self.scene.node()
        service = self.scene.run(HTTPService("s"))
        self.scene.agent(node, "e", service.port)
        page = [("Accept", "text/html")]
        answers: list[Response] = []
        for target, endpoint in (("/", "nobody"), ("/hang-up", "e")):
            for headers in ([], page):
                answers.append(node.fetch(target, endpoint=endpoint, headers=headers))
        for answer in answers:
            self.assertEqual(answer.status, 502, answer)
            self.assertIn(answer.header("x-request-id").encode(), answer.body)


class FileTests(SystemTestCase):
    """
    ``log.path``.
    """

    def _ask(self, node: DetachedNode, name: str, count: int) -> None:
        with Client(node.proxy) as client:
            for number in range(count):
                headers = [("X-Request-Id", f"{name}-{number}")]
                client.send(request_bytes("GET", "/", endpoint="nobody", headers=headers))
                client.response()

    def _ids(self, paths: Sequence[Path]) -> Counter[str]:
        text = "".join(path.read_text() for path in paths)
        return Counter(str(record["request_id"]) for record in requests_in(text, "proxy.access"))

    def test_reopened_under_load(self) -> None:
        """
        Files are moved away while requests come in: each of them is in one of the files, once, on a whole line.
        """
        path = self.scene.directory / "node.log"
        node = DetachedNode(self.scene, {"log.path": path, "log.format": "json"})
        names = [f"client{number}" for number in range(4)]
        threads = [threading.Thread(target=self._ask, args=(node, name, 500)) for name in names]
        for thread in threads:
            thread.start()
        moved: list[Path] = []
        while any(thread.is_alive() for thread in threads):
            moved.append(path.with_suffix(f".{len(moved)}"))
            path.rename(moved[-1])
            node.program.signal(signal.SIGUSR1)
            eventually(path.exists, "a new file")
            # Something must be in it before it is moved.
            eventually(lambda: path.stat().st_size or not any(map(threading.Thread.is_alive, threads)), "lines")
        node.program.terminate()
        self.assertEqual(node.program.wait(), 0)
        self.assertGreater(len(moved), 1)
        expected = {f"{name}-{number}": 1 for name in names for number in range(500)}
        self.assertEqual(self._ids([*moved, path]), expected)
        self.assertEqual(node.program.log, "")

    def test_agent(self) -> None:
        """
        An agent does the same.
        """
        node = self.scene.node()
        path = self.scene.directory / "agent.log"
        agent = self.scene.agent(node, "e", self.scene.run(HTTPService("s")).port, {"log.path": path})
        node.fetch("/one")
        eventually(lambda: "GET /one 200" in path.read_text(), "the first request's line")
        path.rename(path.with_suffix(".1"))
        agent.signal(signal.SIGUSR1)
        eventually(path.exists, "a new file")
        node.fetch("/two")
        eventually(lambda: "GET /two 200" in path.read_text(), "the second request's line")
        self.assertNotIn("GET", agent.log)

    def test_logrotate(self) -> None:
        """
        The example for logrotate, with the real one.
        """
        path = self.scene.directory / "node.log"
        node = DetachedNode(self.scene, {"log.path": path, "log.format": "json"})
        self._ask(node, "before", 10)
        eventually(lambda: len(self._ids([path])) == 10, "ten lines")
        example = (ROOT / "etc" / "logrotate" / "pico").read_text()
        example = example.replace("/var/log/pico", str(self.scene.directory))
        example, count = re.subn(r"systemctl .*", f"kill -USR1 {node.program.pid}", example)
        self.assertEqual(count, 1)
        config = self.scene.directory / "logrotate.conf"
        # It refuses directories that others may write to, and configurations that are not its user's alone.
        config.write_text(example)
        config.chmod(0o644)
        self.scene.directory.chmod(0o700)
        state = self.scene.directory / "state"
        result = subprocess.run(
            [tool("logrotate"), "--force", "--state", str(state), str(config)],
            capture_output=True,
            text=True,
            timeout=60,
        )
        self.assertEqual(result.returncode, 0, result.stderr)
        eventually(path.exists, "a new file")
        self._ask(node, "after", 10)
        eventually(lambda: len(self._ids([path])) == 10, "ten lines in the new file")
        self.assertEqual(len(self._ids([path.with_name("node.log.1")])), 10)

    def test_cannot_be_opened(self) -> None:
        """
        One line names file and setting; the status is 1.
        """
        path = self.scene.directory / "missing" / "pico.log"
        for command in (["server"], ["agent", "http", "e", "4000"]):
            result = pico(*command, f"--log.path={path}")
            self.assertEqual(result.returncode, 1)
            self.assertEqual(result.stderr, f"pico: log.path: cannot open {path}: no such file or directory\n")


class TwistdTests(SystemTestCase):
    """
    The log under twistd, which has one of its own.
    """

    def _ask(self, node: Node, name: str) -> None:
        node.fetch("/?token=s3cr3t", endpoint="nobody", headers=[("X-Request-Id", name)])

    def test_settings(self) -> None:
        """
        Form, level and folding are those of the settings; what twistd says of itself is not of interest.
        """
        settings = {"log.format": "json", "log.repeat_limit": 2}
        node = Node(self.scene, settings, command=TWISTD)
        # A signal that somebody sends to all nodes alike.
        node.program.signal(signal.SIGUSR1)
        self._ask(node, "r1")
        node.program.wait_for_log("r1")
        for _ in range(20):
            with Client(node.upstream) as agent:
                agent.send(UPGRADE)
                agent.receive_exactly(len(b"HTTP/1.1 101"))
        node.program.terminate()
        self.assertEqual(node.program.wait(), 0)
        written = records(node.program.log)
        self.assertEqual(
            [(record["path"], record["status"]) for record in written if record["subsystem"] == "proxy.access"],
            [("/?token=********", 502)],
        )
        connected = [record for record in written if str(record["message"]).startswith("tunnel connected: e")]
        self.assertLess(len(connected), 20)
        self.assertEqual(sum(cast(int, record.get("repeated", 1)) for record in connected), 20)
        self.assertIn("drained", [record["message"] for record in written])

    def test_file(self) -> None:
        """
        A file is opened anew on SIGUSR1, and what comes at the end is in it.
        """
        path = self.scene.directory / "node.log"
        ports = {name: free_port() for name in ("proxy", "upstream", "admin")}
        settings = {f"{name}.bind_addr": f"127.0.0.1:{port}" for name, port in ports.items()}
        settings["cluster.gossip.bind_addr"] = "127.0.0.1:0"
        program = self.scene.start("node", [*TWISTD, *flags({**settings, "log.path": path})])
        eventually(lambda: fetch(ports["admin"], "/ready").status == 200, "the node to be ready")
        eventually(lambda: " info  server: " in path.read_text(), "the line that says so")
        moved = path.with_suffix(".1")
        path.rename(moved)
        program.signal(signal.SIGUSR1)
        eventually(path.exists, "a new file")
        program.terminate()
        self.assertEqual(program.wait(), 0)
        self.assertIn(" info  server:       drained\n", path.read_text())
        self.assertEqual(program.log, "")

    def test_background(self) -> None:
        """
        In the background the lines are in twistd.log, where the command was given, unless a setting says otherwise.
        """
        directory, other = self.scene.directory / "here", self.scene.directory / "there"
        directory.mkdir()
        other.mkdir()
        port, pid = free_port(), directory / "pid"
        settings = {f"{name}.bind_addr": "127.0.0.1:0" for name in ("proxy", "upstream", "cluster.gossip")}
        program = self.scene.start(
            "twistd",
            [
                TWISTD[0],
                f"--pidfile={pid}",
                f"--rundir={other}",
                "pico",
                *flags({**settings, "admin.bind_addr": f"127.0.0.1:{port}", "log.format": "json"}),
            ],
            cwd=directory,
        )
        self.assertEqual(program.wait(), 0)
        daemon = int(eventually(lambda: pid.exists() and pid.read_text(), "the node's id"))
        try:
            eventually(lambda: fetch(port, "/ready").status == 200, "the node to be ready")
            log = directory / "twistd.log"
            eventually(lambda: "ready" in log.read_text(), "the line that says so")
            log.rename(directory / "moved")
            os.kill(daemon, signal.SIGUSR1)
            eventually(log.exists, "a new file")
        finally:
            os.kill(daemon, signal.SIGTERM)
        eventually(lambda: not pid.exists(), "the node to end")
        eventually(lambda: records(log.read_text())[-1]["message"] == "drained", "the last line")

    def test_twistd_was_told(self) -> None:
        """
        Where twistd is told itself where to log, it does so its way.
        """
        path = self.scene.directory / "twistd.log"
        others = self.scene.directory / "pico.log"
        settings = {"log.path": others, "log.format": "json"}
        for options in (["--logfile=-"], ["--logger=twisted.logger.STDLibLogObserver"], [f"--logfile={path}"]):
            with self.subTest(options):
                ports = {name: free_port() for name in ("proxy", "upstream", "admin")}
                binds = {f"{name}.bind_addr": f"127.0.0.1:{port}" for name, port in ports.items()}
                binds["cluster.gossip.bind_addr"] = "127.0.0.1:0"
                command = [*TWISTD[:-1], *options, TWISTD[-1], *flags({**binds, **settings})]
                program = self.scene.start("node", command)
                eventually(lambda: fetch(ports["admin"], "/ready").status == 200, "the node to be ready")  # noqa: B023
                program.signal(signal.SIGUSR1)
                fetch(ports["proxy"], "/?token=s3cr3t", endpoint="nobody", headers=[("X-Request-Id", "r1")])
                program.terminate()
                self.assertEqual(program.wait(), 0)
                self.assertFalse(others.exists())
                if options == ["--logfile=-"]:
                    self.assertRegex(program.log, r"\[proxy\.access#warn\] GET /\?token=\*{8} 502 nobody .* id=r1\n")
        written = "".join(each.read_text() for each in self.scene.directory.glob("twistd.log*"))
        self.assertRegex(written, r"\[proxy\.access#warn\] GET /")

    def test_cannot_be_opened(self) -> None:
        """
        One line names file and setting; the status is 1.
        """
        path = self.scene.directory / "missing" / "pico.log"
        result = run([*TWISTD, f"--log.path={path}"])
        self.assertEqual(result.returncode, 1)
        self.assertEqual(result.stderr, f"pico: log.path: cannot open {path}: no such file or directory\n")


class SecretTests(SystemTestCase):
    """
    What must be in nobody's hands.
    """

    #: Each of them holds the word that is looked for.
    HEADERS = (
        ("Authorization", "Bearer s3cr3t-1"),
        ("Proxy-Authorization", "Basic s3cr3t-2"),
        ("Cookie", "session=s3cr3t-3; other=s3cr3t-4"),
        ("X-Api-Key", "s3cr3t-5"),
        ("X-Auth-Token", "s3cr3t-6"),
        ("x-piko-authorization", "Bearer s3cr3t-7"),
        ("Referer", "https://user:s3cr3t-8@example.com/?token=s3cr3t-9"),
        ("X-Original-Url", "/?u=%2F%3Fapi_key%3Ds3cr3t-10"),
        ("X-Forwarded-Access-Token", "s3cr3t-11"),
        ("Sec-WebSocket-Protocol", "base64url.bearer.authorization.s3cr3t-12"),
    )
    TARGETS = (
        "/?token=s3cr3t-20&x=1",
        "/?x=1&access_token=s3cr3t-21",
        "/?API_KEY=s3cr3t-22;password=s3cr3t-23",
        "/?%74oken=s3cr3t-24",
        "/a;jsessionid=s3cr3t-25?x",
        "/?u=http%3A%2F%2Fuser%3As3cr3t-26%40h%2F",
        "/fetch/http://user:s3cr3t-27@h/",
        "/?code=s3cr3t-28&state=1",
    )

    def test_nowhere(self) -> None:
        """
        Secrets of configuration, headers and URLs are found in no output, with everything on that can be.
        """
        everything = {"log.level": "debug", "log.subsystems": "twisted,proxy.access"}
        chosen = {
            "access_log.request_headers.allow_list": "*",
            "access_log.response_headers.allow_list": "*",
        }
        service = self.scene.run(HTTPService("s"))
        for form in ("text", "json"):
            node = self.scene.node(
                {"log.format": form, **everything, **{f"proxy.{name}": value for name, value in chosen.items()}}
            )
            agent = self.scene.agent(
                node,
                "e",
                service.port,
                {
                    "log.format": form,
                    **everything,
                    **chosen,
                    "connect.url": f"http://127.0.0.1:{node.upstream}/?token=s3cr3t-30",
                    "connect.token": "s3cr3t-31",
                },
            )
            outputs = []
            for endpoint in ("e", "nobody"):
                for target in self.TARGETS:
                    answer = node.fetch(target, endpoint=endpoint, headers=self.HEADERS)
                    if endpoint == "nobody":
                        outputs.append(answer.body.decode())
            for path in ("/metrics", "/status/cluster/nodes", "/status/proxy/endpoints", "/status/upstream/endpoints"):
                outputs.append(fetch(node.admin, path).body.decode())
            count = 2 * len(self.TARGETS)
            eventually(lambda n=node, c=count: n.program.log.count("x-forwarded-access") == c, "the node's lines")  # type: ignore[misc]  # bound now
            agent.terminate()
            self.assertEqual(agent.wait(), 0)
            node.program.terminate()
            self.assertEqual(node.program.wait(), 0)
            outputs += [node.program.log, agent.log]
            for output in outputs:
                self.assertEqual(re.findall("s3cr3t-?\\d*", output), [])
            self.assertEqual(agent.log.count("x-forwarded-access"), count / 2)
            self.assertIn("********", node.program.log)


class FloodTests(SystemTestCase):
    """
    Much to say, and nobody who reads as fast.
    """

    def _ask(self, port: int, count: int) -> Counter[int]:
        statuses: Counter[int] = Counter()
        with Client(port) as client:
            for _ in range(count):
                client.send(request_bytes("GET", "/"))
                statuses[client.response().status] += 1
        return statuses

    def test_malformed(self) -> None:
        """
        Those who send what is no request are in the access log, and do not fill it.
        """
        node = self.scene.node({"log.format": "json"})
        for _ in range(100):
            with Client(node.proxy) as client:
                client.send(b"GET /s3cr3t\r\n\r\n")
                self.assertEqual(client.response().status, 400)
        node.program.terminate()
        self.assertEqual(node.program.wait(), 0)
        told = requests_in(node.program.log, "proxy.access")
        self.assertEqual({(each["client"], "s3cr3t" in str(each)) for each in told}, {("127.0.0.1", False)})
        self.assertEqual((told[0]["status"], told[0]["reason"]), (400, "malformed request line"))
        self.assertEqual(sum(cast(int, each.get("repeated", 1)) for each in told), 100)
        self.assertLess(len(told), 100)

    def test_dead_service(self) -> None:
        """
        A service that is down is some lines, however many ask for it, and the last says how many there would have been.
        """
        node = self.scene.node({"proxy.access_log.disable": None})
        agent = self.scene.agent(node, "e", free_port(), {"access_log.disable": None})
        self.assertEqual(self._ask(node.proxy, 2000), {502: 2000})
        agent.terminate()
        self.assertEqual(agent.wait(), 0)
        node.program.terminate()
        self.assertEqual(node.program.wait(), 0)
        for program, words in (
            (agent, "does not accept connections"),
            (node.program, "the agent could not reach its service"),
        ):
            lines = [line for line in program.log.splitlines() if words in line]
            told = [re.search(r"repeated ([\d,]+) times in the last 10 s$", line) for line in lines]
            repeated = sum(int(found[1].replace(",", "")) for found in told if found)
            plain = told.count(None)
            self.assertEqual(plain + repeated, 2000)
            # Ten, and a line about the rest, for each ten seconds that the machine took.
            self.assertLess(len(lines), 300)

    def test_reader_asleep(self) -> None:
        """
        Whoever reads the log may stop: requests are answered as ever, memory is bounded, and what was lost is said.
        """
        reading, writing = os.pipe()
        try:
            node = DetachedNode(self.scene, {"log.max_buffered": "64KiB", "log.format": "json"}, stdout=writing)
            self.assertEqual(self._ask(node.proxy, 3000), {502: 3000})
            os.set_blocking(reading, False)
            text = b""

            def read() -> bool:
                nonlocal text
                while select.select([reading], [], [], 0)[0]:
                    piece = os.read(reading, 65_536)
                    if not piece:
                        return True
                    text += piece
                return b'"subsystem":"log"' in text

            eventually(read, "what was lost to be told")
            node.program.terminate()
            self.assertEqual(node.program.wait(), 0)
            os.close(writing)
            writing = -1
            eventually(lambda: read() and not os.read(reading, 1), "the end of the log")
        finally:
            for each in (reading, writing):
                if each >= 0:
                    os.close(each)
        lines = records(text.decode())
        dropped = sum(cast(int, line["dropped"]) for line in lines if line["subsystem"] == "log")
        written = len([line for line in lines if line["subsystem"] == "proxy.access"])
        self.assertGreater(dropped, 0)
        self.assertEqual(written + dropped, 3000)
