"""
Configurations in real processes: what the commands say about them, and what comes of them.
"""

from __future__ import annotations

import socket
import sys
from pathlib import Path

from tests.config.planted import AGENT_FAULTS, AGENT_FILE, NODE_FAULTS, NODE_FILE
from tests.system.case import SystemTestCase, pico, run
from tests.system.processes import DEADLINE, PICO, Program, eventually, free_port
from tests.system.services import HTTPService
from tests.system.test_daemon import TWISTD

_READY = r"ready: proxy \S*:(\d+), upstream \S*:(\d+), admin \S*:(\d+)"


class ConfigTestCase(SystemTestCase):
    """
    Tests that write files.
    """

    def file(self, name: str, text: str, mode: int = 0o600) -> str:
        """
        Write one.
        """
        path: Path = self.scene.directory / name
        path.write_text(text, encoding="utf-8")
        path.chmod(mode)
        return str(path)


class CommandTests(ConfigTestCase):
    """
    ``pico config``, and what a program says that cannot start.
    """

    def test_ten_faults(self) -> None:
        """
        ``pico config check`` reports all ten, each with its line, and ends with status 2.
        """
        for name, text, planted in [("node.yaml", NODE_FILE, NODE_FAULTS), ("agent.yaml", AGENT_FILE, AGENT_FAULTS)]:
            path = self.file(name, text)
            result = pico("config", "check", path)
            self.assertEqual((result.returncode, result.stdout), (2, ""))
            lines = result.stderr.splitlines()
            self.assertEqual(len(lines), 10, result.stderr)
            for line, each in zip(lines, planted, strict=True):
                self.assertTrue(line.startswith(f"{path}:{each.line}: {each.path}: "), line)

    def test_a_start_with_ten_faults(self) -> None:
        """
        A node or an agent that is started with such a file reports them as well, and ends with status 1.
        """
        node, agent = self.file("node.yaml", NODE_FILE), self.file("agent.yaml", AGENT_FILE)
        for command, path in [
            ([*PICO, "server"], node),
            ([*TWISTD], node),
            ([*PICO, "agent", "start"], agent),
        ]:
            result = run([*command, "--config.path", path])
            said = result.stdout + result.stderr  # twistd has its standard error in its log
            self.assertEqual(result.returncode, 1, said)
            self.assertEqual(said.count(f"{path}:"), 10, said)
            self.assertNotIn("Traceback", said)

    def test_show(self) -> None:
        """
        ``pico config show`` names each value's source, and its output is a configuration again.
        """
        path = self.file("node.yaml", "cluster: {node_id_prefix: shown-}\nproxy:\n  timeout: 5s\n")
        result = pico("config", "show", path, "--admin.bind-addr=[::1]:9")
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        for line in (
            rf"node_id_prefix: shown- +# {path}:1\n",
            rf"timeout: 5s +# {path}:3\n",
            r'bind_addr: "\[::1\]:9" +# --admin\.bind-addr\n',
            r'bind_addr: ":8000" +# default\n',
        ):
            self.assertRegex(result.stdout, line)
        again = pico("config", "check", self.file("again.yaml", result.stdout))
        self.assertEqual((again.returncode, again.stderr), (0, ""))

    def test_docs(self) -> None:
        """
        ``pico config docs`` prints the manual's page.
        """
        page = Path(__file__).parents[2] / "docs" / "configuration.md"
        self.assertEqual(pico("config", "docs").stdout, page.read_text(encoding="utf-8"))


class NodeTests(ConfigTestCase):
    """
    Nodes that are configured in several ways.
    """

    def _start(self, *arguments: str, environment: dict[str, str], command: tuple[str, ...]) -> tuple[Program, str]:
        """
        Start a node on free ports.

        :return: it, and its id.
        """
        settings = {f"PICO_{name}__BIND_ADDR": "127.0.0.1:0" for name in ("PROXY", "UPSTREAM", "ADMIN")}
        program = self.scene.start("node", [*command, *arguments], environment={**settings, **environment})
        return program, program.wait_for_log(r"pico node (\S+) ready").group(1)

    def test_four_sources(self) -> None:
        """
        Flags win over variables, variables over the file, the file over defaults, under twistd as well.
        """
        path = self.file("node.yaml", "cluster:\n  node_id: from-file\n")
        for command in ((*PICO, "server"), TWISTD):
            for arguments, environment, expected in [
                ([f"--config.path={path}"], {}, "from-file"),
                ([], {"PICO_CONFIG__PATH": path}, "from-file"),
                ([], {"PICO_CONFIG__PATH": path, "PICO_CLUSTER__NODE_ID": "from-variable"}, "from-variable"),
                (
                    ["--cluster.node-id=from-flag"],
                    {"PICO_CONFIG__PATH": path, "PICO_CLUSTER__NODE_ID": "from-variable"},
                    "from-flag",
                ),
            ]:
                program, node_id = self._start(*arguments, environment=environment, command=command)
                self.assertEqual(node_id, expected)
                program.kill()

    def test_expand_env(self) -> None:
        """
        With --config.expand-env a file's variables are replaced; one that is not set is a fault with its line.
        """
        path = self.file("node.yaml", "cluster:\n  node_id: ${NODE_NAME}-${ZONE:a:1}$$\n")
        flags = (f"--config.path={path}", "--config.expand-env")
        result = pico("server", *flags)
        self.assertEqual(result.returncode, 1)
        self.assertEqual(
            result.stderr,
            f"pico: {path}:2: cluster.node_id: the environment variable NODE_NAME is not set, "
            "and ${NODE_NAME} has no default\n",
        )
        path = self.file("node.yaml", "# ${COMMENT}\ncluster: {node_id: ${NODE_NAME}-${ZONE:a}}\n")
        _, node_id = self._start(
            f"--config.path={path}",
            "--config.expand-env",
            environment={"NODE_NAME": "n1"},
            command=(*PICO, "server"),
        )
        self.assertEqual(node_id, "n1-a")

    def test_unknown_variable(self) -> None:
        """
        An unknown variable is a warning with the nearest name, and the node starts.
        """
        program, _ = self._start(environment={"PICO_CLUSTER_NODE_ID": "x"}, command=(*PICO, "server"))
        self.assertIn(
            "pico: unknown environment variable PICO_CLUSTER_NODE_ID (did you mean PICO_CLUSTER__NODE_ID?)",
            program.log,
        )


class AgentTests(ConfigTestCase):
    """
    Agents that are configured in several ways.
    """

    def test_listeners_of_a_file(self) -> None:
        """
        ``pico agent start`` exposes what its file lists.
        """
        node = self.scene.node()
        one, two = self.scene.run(HTTPService("one")), self.scene.run(HTTPService("two"))
        path = self.file(
            "agent.yaml",
            f"""\
            connect:
              url: http://localhost:{node.upstream}
            listeners:
              - endpoint_id: one
                addr: localhost:{one.port}
                protocol: http
                timeout: 5s
                access_log: {{level: debug, disable: false}}
                http_client: {{idle_conn_timeout: 90s, max_idle_conns: 10}}
              - two/{two.port}
            """.replace(" " * 12, ""),
        )
        self.scene.start("agent", [*PICO, "agent", "start", "--config.path", path])
        for endpoint in ("one", "two"):
            node.wait_for_tunnels(endpoint)
            self.assertEqual(node.fetch("/x", endpoint=endpoint).body, f"{endpoint}: GET /x\n".encode())

    def test_environment_alone(self) -> None:
        """
        An agent in a container needs no file and no flag; the early names hold, too. A query of the node's URL, which
        may hold a secret, does not get into the log.
        """
        node = self.scene.node()
        service = self.scene.run(HTTPService("s"))
        for listeners, url in (("PICO_ENDPOINTS", "PICO_SERVER__URL"), ("PICO_LISTENERS", "PICO_CONNECT__URL")):
            endpoint = listeners.lower()
            environment = {
                listeners: f"{endpoint}/{service.port}",
                url: f"http://127.0.0.1:{node.upstream}?key=hunter2",
            }
            agent = self.scene.start("agent", [*PICO, "agent"], environment=environment)
            node.wait_for_tunnels(endpoint)
            agent.wait_for_log(f"connected to http://127.0.0.1:{node.upstream}")
            self.assertNotIn("hunter2", agent.log)

    def test_token_from_a_file(self) -> None:
        """
        The token of --connect.token-file is shown to the node, and a file that others can read is a warning.
        """
        with socket.create_server(("127.0.0.1", 0)) as node:
            node.settimeout(DEADLINE)
            url = f"http://127.0.0.1:{node.getsockname()[1]}"
            for mode, warned in ((0o600, False), (0o644, True)):
                path = self.file("token", "from-file\n", mode)
                agent = self.scene.start(
                    "agent",
                    [*PICO, "agent", "http", "e", "4000", "--connect.url", url],
                    environment={"PICO_CONNECT__TOKEN_FILE": path},
                )
                connection, _ = node.accept()
                with connection:
                    connection.settimeout(DEADLINE)
                    head = b""
                    while b"\r\n\r\n" not in head:
                        head += connection.recv(65536)
                self.assertIn(b"\r\nauthorization: bearer from-file\r\n", head.lower())
                self.assertIs("can be read by every user" in agent.log, warned)
                agent.kill()


class IPv6Tests(ConfigTestCase):
    """
    IPv6 addresses in brackets, wherever an address is written.
    """

    def test_all_the_way(self) -> None:
        """
        Node, agent, service, client and ``pico status`` meet on ::1.
        """
        service = free_port()
        self.scene.start(
            "web", [sys.executable, "-m", "http.server", str(service), "--bind", "::1"], cwd=self.scene.directory
        )
        names = ("proxy", "upstream", "admin", "cluster.gossip")
        ports = {f"{name}.bind-addr": "[::1]:0" for name in names}
        program = self.scene.start("node", [*PICO, "server", *(f"--{name}={value}" for name, value in ports.items())])
        proxy, upstream, admin = program.wait_for_log(_READY).groups()
        self.scene.start(
            "agent", [*PICO, "agent", "--endpoints", f"e/[::1]:{service}", "--connect.url", f"http://[::1]:{upstream}"]
        )
        listed = f"--server.url=http://[::1]:{admin}"
        eventually(lambda: pico("status", "upstream", "endpoints", listed).stdout == "e: 1\n", "the tunnel")
        command = ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "-H", "x-pico-endpoint: e"]
        eventually(lambda: run([*command, f"http://[::1]:{proxy}/"]).stdout == "200", "an answer")

    def test_all_interfaces(self) -> None:
        """
        Without a host a port takes connections of both families.
        """
        node = self.scene.node({"proxy.bind-addr": ":0"})
        for host in ("127.0.0.1", "::1"):
            with socket.create_connection((host, node.proxy), timeout=DEADLINE) as connection:
                connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
                self.assertTrue(connection.recv(65536).startswith(b"HTTP/1.1 400 "), host)
