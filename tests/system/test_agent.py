"""
What an agent does for the person who starts it.
"""

from __future__ import annotations

import os
import pty
import re
import socket
import sys
import threading

from tests.system.case import SystemTestCase
from tests.system.http_client import fetch
from tests.system.processes import PICO, Program, eventually, free_port
from tests.system.services import HTTPService


class AgentTests(SystemTestCase):
    """
    The command ``pico agent``.
    """

    def test_several_endpoints(self) -> None:
        """
        One agent exposes several services, each under its name.
        """
        services = {name: self.scene.run(HTTPService(name)) for name in ("one", "two")}
        node = self.scene.node()
        endpoints = ",".join(f"{name}/localhost:{service.port}" for name, service in services.items())
        self._agent("--endpoints", endpoints, "--server.url", f"http://localhost:{node.upstream}")
        for name in services:
            node.wait_for_tunnels(name)
            self.assertEqual(node.fetch("/x", endpoint=name).body, f"{name}: GET /x\n".encode())
        self.assertEqual(node.status("/status/upstream/endpoints"), {"one": 1, "two": 1})

    def test_file(self) -> None:
        """
        A file may list them, with settings of their own.
        """
        service = self.scene.run(HTTPService("s"))
        node = self.scene.node()
        path = self.scene.directory / "agent.yaml"
        path.write_text(
            f"connect:\n  url: http://127.0.0.1:{node.upstream}\nlisteners:\n"
            f"  - endpoint_id: plain\n    addr: {service.port}\n    timeout: 5s\n"
            f"  - endpoint_id: below\n    addr: http://127.0.0.1:{service.port}/base/\n    rewrite_host: true\n"
        )
        self._agent("start", "--config.path", str(path))
        node.wait_for_tunnels("plain")
        node.wait_for_tunnels("below")
        self.assertEqual(node.fetch("/x", endpoint="plain").body, b"s: GET /x\n")
        self.assertEqual(node.fetch("/x?y", endpoint="below").body, b"s: GET /base/x?y\n")

    def test_agent_before_node(self) -> None:
        """
        An agent that is there before its node waits for it.
        """
        service = self.scene.run(HTTPService("s"))
        port = free_port()
        agent = self.scene.agent(port, "e", service.port)
        agent.wait_for_log("connection refused")
        node = self.scene.node({"upstream.bind_addr": f"127.0.0.1:{port}"})
        node.wait_for_tunnels("e")
        self.assertEqual(node.fetch("/x").status, 200)
        # Only the node knows where clients call it.
        url = f"http://127.0.0.1:{node.proxy}"
        self.assertEqual(re.findall(r"\(curl (\S+) -H 'x-pico-endpoint: e'\)", agent.log), [url])
        node.program.terminate()
        agent.wait_for_log(r"e: the node closed the tunnel; dialling again in [\d.]+s\n")

    def test_final_refusal(self) -> None:
        """
        A node that refuses for good is reported once, in its own words, and not pestered.
        """
        asked = []
        with socket.create_server(("127.0.0.1", 0)) as listener:

            def refuse() -> None:
                while True:
                    try:
                        connection, _ = listener.accept()
                    except OSError:
                        return
                    with connection:
                        asked.append(connection.recv(65_536))
                        connection.sendall(
                            b"HTTP/1.1 401 Unauthorized\r\nContent-Type: application/json; charset=utf-8\r\n"
                            b'Content-Length: 25\r\n\r\n{"error":"invalid token"}'
                        )

            thread = threading.Thread(target=refuse, daemon=True)
            thread.start()
            agent = self.scene.agent(
                listener.getsockname()[1], "e", 1, {"connect.token": "secret-token", "connect.tenant-id": "t"}
            )
            agent.wait_for_log("invalid token")
            self.assertIn(b"\r\nAuthorization: Bearer secret-token\r\n", asked[0])
            self.assertIn(b"\r\nx-piko-tenant-id: t\r\n", asked[0].replace(b"X-Piko-Tenant-Id", b"x-piko-tenant-id"))
            self.assertEqual(len(asked), 1)
            self.assertTrue(agent.running)
            self.assertEqual(agent.log.count("invalid token"), 1)
            self.assertNotIn("secret-token", agent.log)
            agent.terminate()
            self.assertEqual(agent.wait(), 0)
            listener.shutdown(socket.SHUT_RDWR)
        thread.join()

    def test_what_it_says(self) -> None:
        """
        At its start it says what it exposes, where that can be called, and from where it comes; then a line a request.
        """
        service = self.scene.run(HTTPService("s"))
        node = self.scene.node()
        master, slave = pty.openpty()
        self.addCleanup(os.close, master)
        output = bytearray()

        def read() -> None:
            while True:
                try:
                    data = os.read(master, 65_536)
                except OSError:
                    return
                output.extend(data)

        command = [
            *PICO,
            "agent",
            "http",
            "my-endpoint",
            str(service.port),
            f"--connect.url=http://127.0.0.1:{node.upstream}",
        ]
        agent = self.scene.start("agent", command, stdout=slave, environment={"TERM": "xterm"})
        os.close(slave)
        threading.Thread(target=read, daemon=True).start()
        node.wait_for_tunnels("my-endpoint")
        for target in ("/first?secret=1", "/status/404", "/second"):
            node.fetch(target, endpoint="my-endpoint")
        eventually(lambda: b"/second" in output, "the line of the last request")
        agent.terminate()
        self.assertEqual(agent.wait(), 0)
        text = re.sub(r"\x1b\[[0-9;]*m", "", output.decode())
        lines = text.splitlines()
        self.assertTrue(
            any("my-endpoint" in line and "http://" in line and str(service.port) in line for line in lines), text
        )
        for status, target in (("200", "/first"), ("404", "/status/404"), ("200", "/second")):
            found = [line for line in lines if "GET" in line and target in line]
            self.assertEqual(len(found), 1, text)
            self.assertIn(status, found[0])
        self.assertNotIn("secret", text)

    def test_advertised_url_works(self) -> None:
        """
        The agent's hint how to call the endpoint leads there, if the node's ports are the usual ones.
        """
        service = self.scene.run(HTTPService("s"))
        node = self.scene.node()
        agent = self.scene.agent(node, "e", service.port)
        found = agent.wait_for_log(r"curl (http://\S+) -H 'x-pico-endpoint: e'")
        self.assertTrue(found.group(1).startswith("http://127.0.0.1"))
        self.assertEqual(fetch(node.proxy, "/").status, 200)

    def _agent(self, *arguments: str) -> Program:
        return self.scene.start("agent", [*PICO, "agent", *arguments])


class ModuleTests(SystemTestCase):
    """
    The other way to start it.
    """

    def test_module(self) -> None:
        """
        ``python -m pico`` is the same as ``pico``.
        """
        program = self.scene.start("pico", [sys.executable, "-m", "pico", "agent", "-h"])
        self.assertEqual(program.wait(), 0)
        self.assertIn("--endpoints", program.log)
