"""
``pico doctor`` on real ports, with and without what it looks for.
"""

from __future__ import annotations

import json
import socket
import threading
from contextlib import closing
from typing import Any

from tests.system.case import SystemTestCase, pico
from tests.system.processes import free_port
from tests.system.services import HTTPService


class Answering:
    """
    Something that gives everybody the same answer.

    :ivar heard: the last request.
    """

    def __init__(self, answer: bytes | None) -> None:
        """
        :param answer: ``None`` to say nothing, and to leave connections open.
        """
        self._answer = answer
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._kept: list[socket.socket] = []
        self.port: int = self._listening.getsockname()[1]
        self.heard = b""
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        """
        Answer no more.
        """
        self._listening.close()
        for each in self._kept:
            each.close()

    def _serve(self) -> None:
        try:
            while True:
                connection = self._listening.accept()[0]
                if self._answer is None:
                    self._kept.append(connection)
                    continue
                with closing(connection):
                    data = heard = connection.recv(65_536)
                    while data and b"\r\n\r\n" not in heard:
                        data = connection.recv(65_536)
                        heard += data
                    self.heard = heard or self.heard
                    connection.sendall(self._answer if heard else b"")
        except OSError:
            pass


def refusal(status: str, error: str, *lines: str) -> bytes:
    """
    Word an answer as a node does.
    """
    body = json.dumps({"error": error})
    head = [f"HTTP/1.1 {status}", "Content-Type: application/json", f"Content-Length: {len(body)}", *lines]
    return "\r\n".join([*head, "", body]).encode()


class DoctorTests(SystemTestCase):
    """
    What it finds.
    """

    def look(self, *arguments: str, status: int) -> dict[str, tuple[str, str]]:
        """
        Let it look.

        :return: level and text of the last finding on each subject.
        """
        result = pico("doctor", *arguments, "-o", "json")
        self.assertEqual((result.returncode, result.stderr), (status, ""), result.stdout)
        found: dict[str, Any] = json.loads(result.stdout)
        self.assertEqual(found["healthy"], not status)
        for finding in found["findings"]:
            self.assertEqual(bool(finding["advice"]), finding["level"] != "ok", finding)
        return {finding["subject"]: (finding["level"], finding["text"]) for finding in found["findings"]}

    def server_flags(self, **ports: int) -> list[str]:
        """
        Flags of a node on the loopback interface, on free ports if none are given.
        """
        names = ("proxy", "upstream", "admin", "cluster.gossip")
        return ["server", *(f"--{name}.bind-addr=127.0.0.1:{ports.get(name) or free_port()}" for name in names)]

    def test_healthy_node(self) -> None:
        """
        Nothing is in the way of a node on free ports; the file tells that it is one.
        """
        path = self.scene.directory / "node.yaml"
        addresses = {name: f"127.0.0.1:{free_port()}" for name in ("proxy", "upstream", "admin")}
        gossip = f"cluster: {{gossip: {{bind_addr: '127.0.0.1:{free_port()}'}}}}\n"
        path.write_text(gossip + "".join(f"{name}: {{bind_addr: '{addr}'}}\n" for name, addr in addresses.items()))
        found = self.look(f"--config.path={path}", status=0)
        self.assertEqual(found["configuration"], ("ok", "valid"))
        self.assertEqual(found["proxy port"], ("ok", f"reachable as {addresses['proxy']}"))
        self.assertEqual(found["upstream port"], ("ok", f"{addresses['upstream']} can be bound"))
        self.assertEqual(found["gossip port"][0], "ok")
        self.assertEqual(found["clock"][0], "ok")

    def test_text(self) -> None:
        """
        For people each finding is a line, with what to do below it, and a summary; without escape sequences here.
        """
        result = pico("doctor", *self.server_flags(), "--proxy.http.max-connections=999999999")
        self.assertEqual(result.returncode, 0)
        self.assertRegex(result.stdout, r"(?m)^ok    configuration +valid$")
        self.assertRegex(result.stdout, r"(?m)^warn  open files +.* allowed, but .*\n +-> raise the limit")
        self.assertRegex(result.stdout, r"\nnode: \d+ ok, 1 warning\n$")
        self.assertNotIn("\x1b", result.stdout + result.stderr)

    def test_ports(self) -> None:
        """
        Who is in the way is named; so is a port that is asked for twice, and an address of another machine.
        """
        _, taken = self.scene.service_program()
        found = self.look(*self.server_flags(proxy=taken), status=1)
        level, text = found["proxy port"]
        self.assertEqual(level, "fail")
        self.assertRegex(text, rf"127\.0\.0\.1:{taken} is in use by tests\.system\.services \(pid \d+\)")
        twice = free_port()
        found = self.look(*self.server_flags(proxy=twice, admin=twice), status=1)
        self.assertEqual(found["admin port"], ("fail", f"127.0.0.1:{twice} is also that of proxy.bind_addr"))
        found = self.look(*self.server_flags(), "--upstream.bind-addr=192.0.2.199:1", status=1)
        self.assertEqual(found["upstream port"], ("fail", "192.0.2.199 is no address of this machine"))

    def test_advertised(self) -> None:
        """
        An address that leads elsewhere or nowhere is noticed.
        """
        elsewhere = Answering(b"")
        self.addCleanup(elsewhere.close)
        for flag, level, text in (
            (f"127.0.0.1:{elsewhere.port}", "warn", "something else answers"),
            (f"127.0.0.1:{free_port()}", "warn", "cannot be reached from here: connection refused"),
            ("no-such-name.invalid:80", "fail", "no-such-name.invalid has no address"),
        ):
            found = self.look(
                *self.server_flags(), f"--proxy.advertise-addr={flag}", status=1 if level == "fail" else 0
            )
            self.assertEqual(found["proxy port"][0], level)
            self.assertIn(text, found["proxy port"][1])

    def test_running_node(self) -> None:
        """
        A node that runs is not in its own way.
        """
        node = self.scene.node({"cluster.node-id": "n1"})
        found = self.look(*self.server_flags(proxy=node.proxy, upstream=node.upstream, admin=node.admin), status=0)
        self.assertEqual(found["proxy port"], ("warn", f"127.0.0.1:{node.proxy} is held by a node that runs here, n1"))

    def test_invalid(self) -> None:
        """
        Every fault of a configuration is a finding; a file that may be either is taken for a node's.
        """
        path = self.scene.directory / "faulty.yaml"
        path.write_text("proxy: {bind_adr: ':1'}\nadmin: {bind_addr: x}\n")
        result = pico("doctor", "--config.path", str(path), "-o", "json")
        self.assertEqual(result.returncode, 1)
        texts = [finding["text"] for finding in json.loads(result.stdout)["findings"]]
        self.assertEqual(len(texts), 2)
        self.assertIn("did you mean bind_addr", texts[0])
        path.write_text("log: {level: info}\n")
        result = pico("doctor", "--config.path", str(path), "-o", "json")
        self.assertEqual(json.loads(result.stdout)["kind"], "server")

    def test_sources(self) -> None:
        """
        The configuration comes from where the commands have it from: variables in the file, secrets in files.
        """
        path, token = self.scene.directory / "agent.yaml", self.scene.directory / "token"
        node = Answering(refusal("401 Unauthorized", "invalid token"))
        self.addCleanup(node.close)
        path.write_text(
            f"connect: {{url: 'http://127.0.0.1:${{NO_SUCH_PORT:{node.port}}}', token_file: '{token}'}}\n", "utf-8"
        )
        token.write_text("planted\n")
        token.chmod(0o600)
        result = pico("doctor", f"--config.path={path}", "--config.expand-env", "-o", "json")
        self.assertEqual(json.loads(result.stdout)["kind"], "agent", result.stderr)
        self.assertIn("invalid token", result.stdout)
        self.assertIn(b"Authorization: Bearer planted\r\n", node.heard)

    def test_healthy_agent(self) -> None:
        """
        The node would accept it, the service is there, and the node has had no tunnel for it.
        """
        node = self.scene.node()
        service = self.scene.run(HTTPService("s"))
        path = self.scene.directory / "agent.yaml"
        path.write_text(
            f"connect: {{url: 'http://127.0.0.1:{node.upstream}'}}\n"
            f"listeners:\n- {{endpoint_id: e, addr: '127.0.0.1:{service.port}', timeout: 10s}}\n"
        )
        found = self.look(f"--config.path={path}", status=0)
        self.assertEqual(found["node"], ("ok", f"http://127.0.0.1:{node.upstream} takes connections"))
        self.assertEqual(found["endpoint e"], ("ok", "the node would accept it"))
        self.assertEqual(found["service of e"], ("ok", f"http://127.0.0.1:{service.port} takes connections"))
        metrics = node.metrics()
        self.assertEqual(metrics["pico_upstreams_accepted_total"], 0)
        self.assertEqual(metrics['pico_upstreams_refused_total{status="426",reason="upgrade"}'], 1)

    def test_agent_alone(self) -> None:
        """
        Without node and service both are named, and the node is not asked for endpoints.
        """
        node, service = free_port(), free_port()
        flags = ["agent", f"--connect.url=http://127.0.0.1:{node}", f"--endpoints=e/127.0.0.1:{service}"]
        found = self.look(*flags, status=1)
        self.assertEqual(found["node"], ("fail", f"127.0.0.1:{node} cannot be reached: connection refused"))
        self.assertEqual(found["service of e"][0], "fail")
        self.assertEqual(list(found), ["configuration", "node", "service of e", "open files", "clock"])
        self.assertEqual(pico("doctor", *flags).stdout.count("cannot be reached"), 2)

    def test_agents_own_port(self) -> None:
        """
        An agent that has a port of its own must be able to bind it.
        """
        _, taken = self.scene.service_program()
        flags = ["agent", f"--connect.url=http://127.0.0.1:{free_port()}", "--endpoints=e/4000"]
        found = self.look(*flags, "--server.enabled", f"--server.bind-addr=127.0.0.1:{taken}", status=1)
        self.assertEqual(found["server port"][0], "fail")
        self.assertIn(f"127.0.0.1:{taken} is in use", found["server port"][1])
        self.assertNotIn("server port", self.look(*flags, f"--server.bind-addr=127.0.0.1:{taken}", status=1))

    def test_wrong_ports(self) -> None:
        """
        The node's other ports take no agents.
        """
        node = self.scene.node()
        for port in (node.proxy, node.admin):
            found = self.look("agent", f"--connect.url=http://127.0.0.1:{port}", status=1)
            self.assertIn("no node takes agents there: 40", found["endpoint pico-doctor"][1])
            self.assertEqual(found["listeners"], ("warn", "nothing is exposed"))

    def test_refusals(self) -> None:
        """
        What stands in the way of a tunnel is told apart, and no token is shown.
        """
        for answer, text in (
            (refusal("401 Unauthorized", "invalid token"), "the node refuses: 401 invalid token"),
            (refusal("403 Forbidden", "no\x1b[31m"), "the node refuses: 403 no [31m"),
            (refusal("426 Upgrade Required", "this path is for WebSockets"), "drops the Upgrade header"),
            (refusal("503 Service Unavailable", "busy"), "no node behind it: 503 busy"),
            (b"SSH-2.0-OpenSSH_9\r\n", "it closed the connection, or sent no HTTP"),
            (b"", "it closed the connection, or sent no HTTP"),
        ):
            server = Answering(answer)
            self.addCleanup(server.close)
            flags = [f"--connect.url=http://127.0.0.1:{server.port}", "--connect.token=planted", "--output=json"]
            result = pico("doctor", "agent", *flags)
            self.assertEqual(result.returncode, 1)
            self.assertNotIn("planted", result.stdout + result.stderr)
            finding = json.loads(result.stdout)["findings"][-1]
            self.assertEqual((finding["level"], finding["subject"]), ("fail", "endpoint pico-doctor"))
            self.assertIn(text, finding["text"])
            self.assertIn(b"Authorization: Bearer planted\r\n", server.heard)

    def test_token(self) -> None:
        """
        A token that no header can hold is a finding, and not shown.
        """
        result = pico("doctor", "agent", "--connect.token=plan\nted", "--output=json")
        self.assertEqual((result.returncode, result.stderr), (1, ""))
        self.assertNotIn("plan", result.stdout)
        self.assertIn("must be visible ASCII", json.loads(result.stdout)["findings"][0]["text"])

    def test_other_clock(self) -> None:
        """
        A node whose clock differs is noticed.
        """
        version = "Sec-WebSocket-Version: 13"
        server = Answering(refusal("400 Bad Request", "x", version, "Date: Sat, 01 Jan 2000 00:00:00 GMT"))
        self.addCleanup(server.close)
        found = self.look("agent", f"--connect.url=http://127.0.0.1:{server.port}", status=0)
        self.assertEqual(found["endpoint pico-doctor"], ("ok", "the node would accept it"))
        self.assertRegex(found["clock"][1], r"^[\d,]+s ahead of that of the node$")

    def test_silence(self) -> None:
        """
        Whoever does not answer is not waited for longer than was allowed.
        """
        server = Answering(None)
        self.addCleanup(server.close)
        found = self.look("agent", f"--connect.url=http://127.0.0.1:{server.port}", "--timeout=6s", status=1)
        self.assertIn(
            found["endpoint pico-doctor"][1].rpartition(": ")[2], ("no answer in time", "no result within 6s")
        )
