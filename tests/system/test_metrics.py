"""
A real Prometheus scrapes a node and an agent, and promtool looks at what they write.
"""

from __future__ import annotations

import gzip
import json
import math
import subprocess
from typing import ClassVar
from urllib.parse import quote

from tests.system.case import Node, Scene, SharedSceneTestCase, SystemTestCase
from tests.system.http_client import Client, Response
from tests.system.processes import PICO, Program, eventually
from tests.system.prometheus import Prometheus
from tests.system.services import HTTPService

_CONFIG = """
global:
  scrape_interval: 1s
scrape_configs:
  - job_name: node
    static_configs: [{{targets: ["127.0.0.1:{node}"]}}]
  - job_name: agent
    static_configs: [{{targets: ["127.0.0.1:{agent}"]}}]
"""

#: What the manual suggests to ask, and a series that must come of it.
_QUERIES = (
    "sum(rate(pico_proxy_requests_total[1m])) by (status)",
    "histogram_quantile(0.99, sum(rate(pico_proxy_request_latency_seconds_bucket[5m])) by (le))",
    "topk(10, sum(rate(pico_upstreams_endpoint_requests_total[1m])) by (endpoint))",
    "rate(pico_upstreams_pool_hits_total[1m]) / rate(pico_upstreams_upstream_requests_total[1m])",
    "sum(rate(pico_upstreams_bytes_received_total[1m]))",
    "pico_agent_tunnels == 1",
    "sum(rate(pico_agent_requests_total[1m])) by (status, method, endpoint)",
    "process_open_fds / process_max_fds",
)


def get(port: int, path: str, *headers: str) -> Response:
    """
    Ask a port for operators.
    """
    with Client(port) as client:
        lines = [f"GET {path} HTTP/1.1", "Host: admin", "Connection: close", *headers, "", ""]
        client.send("\r\n".join(lines).encode())
        return client.response()


def start_agent(scene: Scene, node: Node, service: int, *settings: str) -> tuple[Program, int]:
    """
    Start an agent with a port of its own.

    :return: the agent and that port.
    """
    agent = scene.start(
        "agent",
        [
            *PICO,
            "agent",
            "--endpoints",
            f"e/{service}",
            f"--connect.url=http://127.0.0.1:{node.upstream}/?key=planted-in-url",
            "--server.enabled",
            "--server.bind-addr=127.0.0.1:0",
            *settings,
        ],
    )
    return agent, int(agent.wait_for_log(r"health and metrics: 127\.0\.0\.1:(\d+)").group(1))


class ScrapeTests(SharedSceneTestCase):
    """
    A node and an agent that have served some requests.
    """

    node: ClassVar[Node]
    agent_port: ClassVar[int]
    prometheus: ClassVar[Prometheus]

    @classmethod
    def set_scene(cls, scene: Scene) -> None:
        service = scene.run(HTTPService("s"))
        cls.node = scene.node()
        _, cls.agent_port = start_agent(scene, cls.node, service.port)
        cls.node.wait_for_tunnels("e")
        cls.prometheus = Prometheus(scene, _CONFIG.format(node=cls.node.admin, agent=cls.agent_port))

    def test_scraped(self) -> None:
        """
        Both are up, and each query of the manual has an answer that is a number.
        """

        def up() -> bool:
            self.node.fetch("/x", endpoint="e")
            targets = self.prometheus.ask("/api/v1/targets?state=active")["activeTargets"]
            assert isinstance(targets, list)
            errors = [target["lastError"] for target in targets if target["lastError"]]
            assert not errors, errors
            return [target["health"] for target in targets] == ["up", "up"]

        eventually(up, "both to be scraped")

        for query in _QUERIES:

            def answered(query: str = query) -> bool:
                self.node.fetch("/x", endpoint="e")
                result = self.prometheus.ask(f"/api/v1/query?query={quote(query)}")["result"]
                assert isinstance(result, list)
                return bool(result) and all(math.isfinite(float(series["value"][1])) for series in result)

            eventually(answered, query, interval=0.2)

    def test_promtool(self) -> None:
        """
        promtool finds nothing to complain about.
        """
        for method, target in (("GET", "/x"), ("POST", "/x"), ("FROB", "/x"), ("GET", "/status/418")):
            self.node.fetch(target, method, endpoint="e")
        for port in (self.node.admin, self.agent_port):
            response = get(port, "/metrics", "Accept: text/plain")
            self.assertEqual(response.header("content-type"), "text/plain; version=0.0.4; charset=utf-8")
            checked = subprocess.run(
                ["promtool", "check", "metrics"], input=response.body, capture_output=True, timeout=60, check=False
            )
            self.assertEqual((checked.returncode, checked.stdout, checked.stderr), (0, b"", b""))

    def test_formats(self) -> None:
        """
        Who names OpenMetrics gets it, compressed if that is taken; Prometheus has read the same.
        """
        for port in (self.node.admin, self.agent_port):
            response = get(
                port, "/metrics", "Accept: application/openmetrics-text; version=1.0.0", "Accept-Encoding: gzip"
            )
            self.assertIn("application/openmetrics-text", response.header("content-type"))
            self.assertEqual(response.header("content-encoding"), "gzip")
            self.assertTrue(gzip.decompress(response.body).endswith(b"\n# EOF\n"))


class AgentPortTests(SystemTestCase):
    """
    The agent's own port, as programs see it that look after agents.
    """

    def test_readiness(self) -> None:
        """
        Not ready without a node, ready with it, whatever happens in between; gone with the agent.
        """
        service = self.scene.run(HTTPService("s"))
        node = self.scene.node()
        agent, port = start_agent(self.scene, node, service.port)
        eventually(lambda: get(port, "/ready").status == 200, "the agent to be ready")
        node.program.kill()

        def unready() -> bool:
            response = get(port, "/ready")
            return response.status == 503 and b"connection refused" in response.body.lower()

        eventually(unready, "the agent to notice and say why")
        self.assertEqual(get(port, "/health").status, 200)
        node.restart()
        eventually(lambda: get(port, "/ready").status == 200, "the agent to be ready again")
        (state,) = json.loads(get(port, "/ready").body)["endpoints"]
        self.assertEqual((state["endpoint"], state["connected"]), ("e", True))
        self.assertIn("refused", state["last_error"].lower())
        agent.terminate()
        self.assertEqual(agent.wait(), 0)
        self.assertRaises(OSError, get, port, "/health")

    def test_taken(self) -> None:
        """
        A port that is taken is one line that names it and its setting, and exit status 1.
        """
        node = self.scene.node()
        command = [*PICO, "agent", "--endpoints=e/1", "--server.enabled"]
        agent = self.scene.start("agent", [*command, f"--server.bind-addr=127.0.0.1:{node.admin}"])
        self.assertEqual(agent.wait(), 1)
        self.assertEqual(
            agent.log.splitlines()[-1],
            f"pico: cannot listen on 127.0.0.1:{node.admin} (server.bind_addr): address already in use",
        )

    def test_off(self) -> None:
        """
        Without being asked for there is no port.
        """
        node = self.scene.node()
        agent = self.scene.agent(node, "e", 1)
        listening = subprocess.run(["ss", "-Hltnp"], capture_output=True, text=True, check=True).stdout
        self.assertNotIn(f"pid={agent.pid},", listening)
        self.assertIn(f"pid={node.program.pid},", listening)


class SecretTests(SystemTestCase):
    """
    Secrets are planted wherever there is room for one.
    """

    def test_secrets(self) -> None:
        """
        None of them is in any answer of the ports for operators.
        """
        service = self.scene.run(HTTPService("s"))
        node = self.scene.node()
        _, port = start_agent(self.scene, node, service.port, "--connect.token=planted-token")
        node.wait_for_tunnels("e")
        headers = [("Authorization", "Bearer planted-auth"), ("Cookie", "a=planted-cookie")]
        response = node.fetch("/x?key=planted-query", "PLANTED", endpoint="e", headers=headers)
        self.assertEqual(response.status, 200)
        node.fetch("/x", endpoint="planted-endpoint")
        texts = [
            get(node.admin, path).body
            for path in (
                "/metrics",
                "/ready",
                "/status/cluster/nodes",
                "/status/cluster/nodes/local",
                "/status/upstream/endpoints",
                "/status/upstream/tunnels",
                "/status/proxy/endpoints",
            )
        ]
        texts += [get(port, path).body for path in ("/metrics", "/ready")]
        node.program.kill()
        eventually(lambda: get(port, "/ready").status == 503, "the agent to notice")
        texts.append(get(port, "/ready").body)
        self.assertIn(b"last_error", texts[-1])
        for text in texts:
            self.assertNotIn(b"planted", text.lower())
