"""
Starting, stopping and asking: the session of the manual, and what goes wrong at a start.
"""

from __future__ import annotations

import signal
import sys
from pathlib import Path

from tests.system.case import SystemTestCase, pico, run
from tests.system.http_client import Client, request_bytes
from tests.system.processes import eventually, free_port
from tests.system.services import HTTPService


class SessionTests(SystemTestCase):
    """
    A directory is exposed as the manual shows it.
    """

    def test_getting_started(self) -> None:
        """
        Both ways to name the endpoint list the directory, and status knows the agent.
        """
        node = self.scene.node({"cluster.node-id-prefix": "pico-1-"})
        port = free_port()
        (self.scene.directory / "listed.txt").write_text("x")
        self.scene.start(
            "web", [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1"], cwd=self.scene.directory
        )
        command = ["-m", "pico", "agent", "--endpoints", f"my-endpoint/localhost:{port}"]
        self.scene.start("agent", [sys.executable, *command, "--server.url", f"http://127.0.0.1:{node.upstream}"])
        node.wait_for_tunnels("my-endpoint", 1)
        base = f"http://localhost:{node.proxy}"
        by_header = ["curl", "-s", base, "-H", "x-pico-endpoint: my-endpoint"]
        eventually(lambda: "listed.txt" in run(by_header).stdout, "the directory is listed")
        name = "my-endpoint.example.com"
        by_host = ["curl", "-s", "--connect-to", f"{name}:{node.proxy}:localhost:{node.proxy}"]
        self.assertIn("listed.txt", run([*by_host, f"http://{name}:{node.proxy}"]).stdout)
        admin = f"--server.url=http://localhost:{node.admin}"
        lines = pico("status", "cluster", "nodes", admin).stdout.splitlines()
        self.assertEqual(lines[0], "nodes:")
        self.assertRegex(lines[1], r"^- id: pico-1-[a-z0-9]{7}$")
        self.assertEqual(lines[2], "  status: active")
        self.assertEqual(lines[5:], ["  endpoints: 1", "  upstreams: 1"])
        lines = pico("status", "proxy", "endpoints", admin).stdout.splitlines()
        self.assertEqual(lines[:2], ["endpoints:", "  my-endpoint:"])
        self.assertRegex(lines[2], r"^  - 127\.0\.0\.1:\d+$")
        self.assertEqual(pico("status", "upstream", "endpoints", admin).stdout, "my-endpoint: 1\n")

    def test_busy_port(self) -> None:
        """
        A port that is taken is one line that names it and its setting, and exit status 1.
        """
        node = self.scene.node()
        others = [f"--{name}.bind-addr=127.0.0.1:0" for name in ("upstream", "admin", "cluster.gossip")]
        result = pico("server", f"--proxy.bind-addr=127.0.0.1:{node.proxy}", *others)
        self.assertEqual(result.returncode, 1)
        self.assertEqual(
            result.stderr.splitlines()[-1],
            f"pico: cannot listen on 127.0.0.1:{node.proxy} (proxy.bind_addr): address already in use",
        )
        self.assertNotIn("Traceback", result.stderr)

    def test_wrong_use(self) -> None:
        """
        Wrong use is exit status 2 with a hint, or with the name of the flag whose value is wrong.
        """
        for arguments, status, text in [
            (["serve"], 2, "Did you mean 'server'"),
            (["server", "--proxy.bind-adr=:1"], 2, "--proxy.bind-addr"),
            (["server", "--proxy.bind-addr=nonsense"], 2, "--proxy.bind-addr"),
            (["agent"], 2, "--endpoints"),
            (["agent", "--endpoints=x"], 2, "my-endpoint/localhost:4000"),
            (["agent", "http", "e", "nonsense"], 2, "nonsense"),
            (["status", "cluster", "nodes", f"--server.url=http://127.0.0.1:{free_port()}"], 1, "connection refused"),
        ]:
            result = pico(*arguments)
            self.assertEqual(result.returncode, status, (arguments, result.stderr))
            self.assertIn(text, result.stderr, arguments)
            self.assertNotIn("Traceback", result.stderr, arguments)


class StoppingTests(SystemTestCase):
    """
    The end of a node.
    """

    def _request_under_way(self) -> tuple[Client, HTTPService]:
        self.node = self.scene.node()
        service = self.scene.run(HTTPService("s"))
        self.scene.agent(self.node, "e", service.port)
        client = Client(self.node.proxy)
        self.addCleanup(client.close)
        client.send(request_bytes("GET", "/gate/g"))
        eventually(lambda: service.waiting["/gate/g"] == 1, "the request waits at the service")
        return client, service

    def test_drain(self) -> None:
        """
        SIGTERM lets a request under way end, and the exit status is 0.
        """
        client, service = self._request_under_way()
        self.node.program.signal(signal.SIGTERM)
        self.node.program.wait_for_log("draining")
        service.open_gate("g")
        response = client.response()
        self.assertEqual((response.status, response.keep_alive), (200, False))
        self.assertEqual(self.node.program.wait(), 0)

    def test_second_signal(self) -> None:
        """
        A second SIGTERM ends at once, without a traceback.
        """
        client, _ = self._request_under_way()
        self.node.program.signal(signal.SIGTERM)
        self.node.program.wait_for_log("draining")
        self.node.program.signal(signal.SIGTERM)
        self.assertEqual(self.node.program.wait(), 1)
        self.assertNotIn("Traceback", self.node.program.log)
        client.close()

    def test_twistd(self) -> None:
        """
        ``twistd pico`` serves with the same settings, and drains as well.
        """
        ports = {name: free_port() for name in ("proxy", "upstream", "admin")}
        settings = [f"--{name}.bind-addr=127.0.0.1:{port}" for name, port in ports.items()]
        settings.append("--cluster.gossip.bind-addr=127.0.0.1:0")
        program = self.scene.start(
            "twistd", [str(Path(sys.executable).with_name("twistd")), "-n", "--pidfile=", "pico", *settings]
        )
        if not program.running:
            raise AssertionError(program.log)
        service = self.scene.run(HTTPService("s"))
        program.wait_for_log("ready: proxy")
        self.scene.agent(ports["upstream"], "e", service.port, connected=None)

        def served() -> bool:
            with Client(ports["proxy"]) as client:
                return client.get("/").status == 200

        eventually(served, "the node under twistd serves")
        program.signal(signal.SIGTERM)
        self.assertEqual(program.wait(), 0)
