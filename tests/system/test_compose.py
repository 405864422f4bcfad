"""
The demonstration for Compose: the load balancer's very file, with other addresses, in a real nginx in front of three
real nodes; Prometheus' file, read by promtool.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from functools import partial
from urllib.parse import quote

from websockets.sync.client import connect

from tests.deploy.compose import DEMO, environment, services, strings
from tests.system.case import Node, Scene, SharedSceneTestCase, SystemTestCase, pico, run
from tests.system.http_client import Client, fetch, request_bytes
from tests.system.network import Host
from tests.system.nginx import nginx, see_events
from tests.system.pattern import pattern
from tests.system.processes import MIB, PICO, ROOT, Program, eventually, free_port
from tests.system.services import HTTPService, WebSocketEcho

#: Names are those of a file, and /run is nobody else's.
_INSIDE = 'mount --bind "$0" /etc/hosts; mount -t tmpfs none /run; exec "$@"'

_SECRET = "a-secret-of-this-cluster-long-and-random"


class LoadBalancerTests(SharedSceneTestCase):
    """
    Everything through nginx: clients, agents, operators.
    """

    nodes: list[Node]
    ports: dict[str, int]
    service: HTTPService
    agent: Program
    tested: str

    @classmethod
    def set_scene(cls, scene: Scene) -> None:
        """
        Three nodes, nginx, and agents that know of nginx only.
        """
        secret = scene.directory / "secret"
        secret.write_text(_SECRET)
        secret.chmod(0o600)
        cls.nodes = []
        for number in (1, 2, 3):
            settings: dict[str, object] = {
                "cluster.node_id_prefix": f"pico-{number}-",
                "cluster.secret_keys_file": secret,
                "proxy.trusted_proxies": "127.0.0.1",
            }
            if cls.nodes:
                settings["cluster.join"] = f"127.0.0.1:{cls.nodes[0].gossip}"
            cls.nodes.append(scene.node(settings))
        cls.ports = {port: free_port() for port in ("8000", "8001", "8002")}
        path = scene.directory / "nginx.conf"
        path.write_text(cls._moved(scene))
        command = [nginx(), "-e", "stderr", "-p", str(scene.directory), "-c", str(path)]
        tested = run([*command, "-t"])
        cls.tested = tested.stderr
        if tested.returncode != 0:
            raise AssertionError(tested.stderr)
        scene.start("nginx", [*command, "-g", "daemon off;"])
        for port in cls.ports.values():
            eventually(partial(_listens, port), "nginx to listen")
        cls.service = scene.run(HTTPService("s"))
        echo = scene.run(WebSocketEcho())
        cls.agent = scene.agent(cls.ports["8001"], "e", cls.service.port, {"connections": 2})
        scene.agent(cls.ports["8001"], "ws", echo.port)
        for endpoint in ("e", "ws"):
            for node in cls.nodes:
                eventually(partial(_serves, node, endpoint), f"{endpoint} at {node.proxy}")

    @classmethod
    def _moved(cls, scene: Scene) -> str:
        """
        The file, with addresses that are free here.
        """
        text = (ROOT / "etc" / "demo" / "nginx.conf").read_text(encoding="utf-8")
        for number, node in enumerate(cls.nodes, 1):
            for port, actual in (("8000", node.proxy), ("8001", node.upstream), ("8002", node.admin)):
                text = text.replace(f"server pico-{number}:{port};", f"server 127.0.0.1:{actual};")
        text = re.sub(r"listen (\d+)", lambda match: f"listen 127.0.0.1:{cls.ports[match[1]]}", text)
        return re.sub(r"^pid .*$", f"pid {scene.directory}/nginx.pid;", text, flags=re.MULTILINE)

    def client(self) -> Client:
        """
        Connect to the port for clients.
        """
        return Client(self.ports["8000"])

    def test_file_is_valid(self) -> None:
        """
        nginx has nothing to say against it.
        """
        said = [line for line in self.tested.splitlines() if "setrlimit" not in line]
        self.assertRegex(said[0], "syntax is ok")
        self.assertRegex(said[1], "test is successful")
        self.assertEqual(len(said), 2, said)

    def test_by_header(self) -> None:
        """
        A request names its endpoint by a header, again and again, so that each node had one.
        """
        with self.client() as client:
            for _ in range(6):
                self.assertEqual(client.get("/describe").status, 200)

    def test_by_host(self) -> None:
        """
        Or by its host; the service learns of the client what nginx says, and not what the client says of itself.
        """
        pretended = [(name, "9.9.9.9") for name in ("X-Forwarded-For", "X-Real-IP", "Forwarded", "X-Forwarded-Port")]
        with self.client() as client:
            response = client.get("/describe", endpoint=None, host="e.example.com", headers=pretended)
        headers = dict(response.json()["headers"])  # type: ignore[index]
        self.assertEqual(headers["host"], "e.example.com")
        self.assertTrue(headers["x-forwarded-for"].startswith("127.0.0.1"), headers)
        self.assertNotIn("9.9.9.9", str(headers))

    def test_events(self) -> None:
        """
        Events come one by one.
        """
        with self.client() as client:
            see_events(client, self.service)

    def test_websocket(self) -> None:
        """
        A WebSocket goes through.
        """
        url, headers = f"ws://127.0.0.1:{self.ports['8000']}/", {"x-pico-endpoint": "ws"}
        with connect(url, additional_headers=headers, compression=None, proxy=None) as connection:
            for message in ("hello", pattern(0, 1_000_000)):
                connection.send(message)
                self.assertEqual(connection.recv(timeout=60), message)

    def test_upload(self) -> None:
        """
        An upload of more than nginx takes by itself comes whole, and its beginning before its end is sent.
        """
        body = pattern(0, 8 * MIB)
        with self.client() as client:
            for chunked in (False, True):
                client.send(request_bytes("POST", "/echo", body=body, chunked=chunked))
                self.assertEqual(client.response("POST").body, body)
            head = f"POST /sink?id=u HTTP/1.1\r\nHost: h\r\nx-pico-endpoint: e\r\nContent-Length: {len(body)}\r\n\r\n"
            client.send(head.encode() + body[:1000])
            # Where uploads are collected first, nothing would come before all of it was sent.
            eventually(lambda: self.service.uploads["u"].received == 1000, "the first bytes at the service")
            client.send(body[1000:])
            self.assertEqual(client.response("POST").status, 200)
        self.assertEqual(self.service.uploads["u"].received, len(body))

    def test_services_do_not_steer_nginx(self) -> None:
        """
        A service says what it is, and cannot have nginx answer with something else.
        """
        head = "HTTP/1.1 200 OK\r\nServer: mine\r\nX-Accel-Redirect: /describe\r\nContent-Length: 3\r\n\r\nown"
        with self.client() as client:
            response = client.get(f"/raw?bytes={quote(head)}")
        self.assertEqual((response.header("server"), response.body), ("mine", b"own"))

    def test_operators(self) -> None:
        """
        Any node answers for all of them, also for a certain other one.
        """
        url = f"--server.url=http://127.0.0.1:{self.ports['8002']}"
        said = pico("status", "cluster", "nodes", url).stdout
        ids = re.findall(r"^- id: (pico-[123]-[a-z0-9]{7})$", said, re.MULTILINE)
        self.assertEqual([each[:7] for each in ids], ["pico-1-", "pico-2-", "pico-3-"])
        self.assertEqual(len(re.findall("status: active", said)), 3)
        for each in ids:
            self.assertEqual(pico("status", "cluster", "nodes", url, "--forward", each).returncode, 0)
        self.assertEqual(pico("health", "--ready", url).stdout, "ready\n")

    def test_agents(self) -> None:
        """
        Agents got through to different nodes; nothing but tunnels is to be had at their port.
        """
        # For a moment there are three, when one goes on to another node.
        eventually(lambda: sorted(node.tunnels("e") for node in self.nodes) == [0, 1, 1], "tunnels to two nodes")
        with Client(self.ports["8001"]) as client:
            for target in ("/", "/pico/v1/", "/pica/v1/upstream/e"):
                self.assertEqual(client.get(target).status, 404, target)

    def test_z_node_stops(self) -> None:
        """
        A node that stops costs no client a request, and its agents find another one; it comes last of these.
        """
        stopped = self.nodes[0].program
        stopped.terminate()
        with self.client() as client:
            statuses = [client.get("/describe").status for _ in range(50)]
            self.assertEqual(stopped.wait(), 0)
            statuses += [client.get("/describe").status for _ in range(50)]
        self.assertEqual(set(statuses), {200})
        left = self.nodes[1:]
        eventually(lambda: sum(node.tunnels("e") for node in left) == 2, "both tunnels to be there again")


class SessionTests(SystemTestCase):
    """
    What Compose would start, on a host each, under the names that the file gives them. The load balancer has the very
    file.
    """

    def start(self, name: str, command: Sequence[str], *, on: Host) -> Program:
        """
        Start a service with its variables, where names lead to hosts and /run is its own.
        """
        service = services()[name]
        inside = ["unshare", "--mount", "sh", "-ec", _INSIDE, str(self.scene.directory / "hosts"), *command]
        given = environment(service) if "environment" in service else {}
        return self.scene.start(name, on.command(inside), environment=given)

    def test_session(self) -> None:
        """
        The nodes find each other by their names and secret, the sample is served by all of them, and asked for by its
        name through nginx.
        """
        network = self.scene.network()
        hosts = {name: network.host() for name in ("pico-1", "pico-2", "pico-3", "nginx", "sample")}
        for host in hosts.values():
            # As Docker's networks have one; from it a node learns which of its addresses others can reach.
            self.assertEqual(run(host.command(["ip", "route", "add", "default", "via", network.gateway])).returncode, 0)
        names = "".join(f"{host.address} {name}\n" for name, host in hosts.items())
        (self.scene.directory / "hosts").write_text(f"127.0.0.1 localhost\n{names}")
        nodes = [self.start(f"pico-{number}", [*PICO, "server"], on=hosts[f"pico-{number}"]) for number in (1, 2, 3)]
        for node in nodes:
            node.wait_for_log("ready: proxy :8000, upstream :8001, admin :8002, gossip :8003")
        balancer = hosts["nginx"]
        command = [nginx(), "-e", "stderr", "-c", str(DEMO / "nginx.conf"), "-g", "daemon off;"]
        self.start("nginx", command, on=balancer)
        for name in ("sample", "agent"):
            words = strings(services()[name]["command"])
            program = [sys.executable, "-m", "pico.demo.service"] if name == "sample" else list(PICO)
            self.start(name, [*program, *words], on=hosts["sample"])
        for _ in nodes:
            eventually(
                lambda: fetch(8000, at=balancer.address, endpoint="sample").status == 200, "the sample through nginx"
            )
        url = f"--server.url=http://{balancer.address}:8002"
        said = eventually(lambda: pico("status", "cluster", "nodes", url).stdout, "an answer")
        self.assertEqual(re.findall(r"^- id: (pico-\d-)", said, re.MULTILINE), ["pico-1-", "pico-2-", "pico-3-"])
        agent = f"--server.url=http://{hosts['sample'].address}:5000"
        eventually(lambda: pico("health", "--ready", agent).returncode == 0, "the agent to be ready")


class PrometheusTests(SystemTestCase):
    """
    What Prometheus is told.
    """

    def test_file_is_valid(self) -> None:
        """
        promtool has nothing to say against it.
        """
        done = run(["promtool", "check", "config", "--syntax-only", "etc/demo/prometheus.yml"])
        self.assertEqual(done.returncode, 0, done.stderr)


def _listens(port: int) -> bool:
    Client(port).close()
    return True


def _serves(node: Node, endpoint: str) -> bool:
    """
    Whether a node has an answer for an endpoint, whatever it is; only Pico says 502.
    """
    return node.fetch(endpoint=endpoint).status != 502
