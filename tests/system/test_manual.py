"""
The tutorial and the how-tos, followed word for word.
"""

from __future__ import annotations

import shutil
import socket
import ssl
from collections.abc import Callable, Mapping
from pathlib import Path

from websockets.sync.client import connect

from tests.manual.page import steps
from tests.system.case import SystemTestCase
from tests.system.http_client import Client, Response, request_bytes
from tests.system.manual_shell import Reader
from tests.system.nginx import nginx
from tests.system.processes import DEADLINE, ROOT, eventually
from tests.system.services import HTTPService, WebSocketEcho

DOCS = ROOT / "docs"

#: What the system's nginx.conf says around the files of conf.d, for somebody who is not root.
_NGINX = """
pid {root}/nginx.pid;
error_log stderr;
events {{ }}
http {{
    access_log off;
    client_body_temp_path {root}/body;
    proxy_temp_path {root}/proxy;
    fastcgi_temp_path {root}/fastcgi;
    uwsgi_temp_path {root}/uwsgi;
    scgi_temp_path {root}/scgi;
    include {root}/etc/nginx/conf.d/*.conf;
}}
"""


def _node(reader: Reader) -> None:
    """
    A node runs.
    """
    reader.start("node", "pico server", "ready: proxy")


def _service(reader: Reader) -> None:
    """
    A service runs on port 4000.
    """
    shared = reader.directory / "shared"
    (shared / "pages").mkdir(parents=True)
    (shared / "hello.txt").write_text("hello from behind the tunnel\n")
    (shared / "pages" / "page.txt").write_text("a page\n")
    reader.start("service", f"python3 -m http.server 4000 --directory {shared}", "Serving HTTP")


def _source(reader: Reader) -> None:
    """
    Pico's source is in the directory ``pico``.
    """
    for name in ("pico", "twisted", "etc"):
        shutil.copytree(ROOT / name, reader.home / "pico" / name, ignore=shutil.ignore_patterns("__pycache__", "*.so"))
    for name in ("setup.py", "setup.cfg", "pyproject.toml", "MANIFEST.in", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, reader.home / "pico" / name)


def _nginx(reader: Reader) -> None:
    """
    nginx runs, with an empty conf.d.
    """
    root = Path(reader.places.root)
    config = root / "etc" / "nginx" / "nginx.conf"
    (config.parent / "conf.d").mkdir(parents=True)
    config.write_text(_NGINX.format(root=root))
    reader.add_program("nginx", f'exec {nginx()} -e stderr -p {root} -c {config} "$@"')
    reader.start("nginx", "nginx -g 'daemon off;'")
    eventually((root / "nginx.pid").exists, "nginx to run")


#: What pages may take for granted.
GIVENS: Mapping[str, Callable[[Reader], None]] = {
    "node": _node,
    "service": _service,
    "source": _source,
    "nginx": _nginx,
}


class ManualTests(SystemTestCase):
    """
    What a reader does, and what comes of it.
    """

    def follow(self, name: str) -> Reader:
        """
        Do what a page says, from its beginning to its end.

        :return: the one who did, with everything still running.
        """
        reader = Reader(self.scene.directory, GIVENS)
        self.addCleanup(reader.close)
        try:
            for step in steps(name, (DOCS / name).read_text(encoding="utf-8")):
                reader.follow(step)
            reader.check()
        except BaseException:
            reader.show()
            raise
        return reader

    def test_getting_started(self) -> None:
        """
        The tutorial.
        """
        self.follow("tutorial/getting-started.md")

    def test_install(self) -> None:
        """
        Installing.
        """
        self.follow("howto/install.md")

    def test_expose_a_service(self) -> None:
        """
        Agents and what they expose.
        """
        self.follow("howto/expose-a-service.md")

    def test_nginx(self) -> None:
        """
        A real nginx in front of both ports; its configuration lets pass what the page says, and nothing else.
        """
        reader = self.follow("howto/nginx.md")
        service, echo = self.scene.run(HTTPService("s")), self.scene.run(WebSocketEcho())
        url = f"http://localhost:{reader.places.ports[8001]}"
        reader.start(
            "agents", f"pico agent --endpoints s/{service.port},echo/{echo.port} --connect.url {url}", "echo: connected"
        )
        context = ssl.create_default_context(cafile=str(Path(reader.places.root) / "etc/ssl/pico/cert.pem"))
        with Client(reader.places.ports[443]) as client:
            client.socket = context.wrap_socket(client.socket, server_hostname="s.example.com")
            pretended = [
                (name, "9.9.9.9") for name in ("X-Forwarded-For", "X-Real-IP", "Forwarded", "X-Forwarded-Port")
            ]

            def describe() -> Response | None:
                response = client.get("/describe", endpoint=None, host="s.example.com", headers=pretended)
                return response if response.status == 200 else None

            response = eventually(describe, "the service to be reached")
            described = response.json() if response is not None else None
            assert isinstance(described, dict)
            headers = dict(described["headers"])
            self.assertEqual(headers["x-forwarded-for"], "127.0.0.1, 127.0.0.1")
            self.assertEqual(headers["x-forwarded-proto"], "https")
            self.assertEqual(headers["x-forwarded-host"], "s.example.com")
            self.assertNotIn("9.9.9.9", str(headers))
            # An event is there before the next one is made; a piece of an upload is answered before the next is sent.
            client.send(request_bytes("GET", "/sse/n", endpoint=None, host="s.example.com"))
            self._see(client, b"HTTP/1.1 200 OK")
            for number in range(3):
                service.push("n", f"event {number}")
                self._see(client, f"data: event {number}\n".encode())
        with Client(reader.places.ports[443]) as client:
            client.socket = context.wrap_socket(client.socket, server_hostname="s.example.com")
            client.send(b"POST /early HTTP/1.1\r\nHost: s.example.com\r\nContent-Length: 2000000\r\n\r\n")
            client.send(b"x" * 1000)
            self._see(client, b"1000\n")
        with connect(
            "wss://echo.example.com/",
            sock=socket.create_connection(("127.0.0.1", reader.places.ports[443])),
            ssl=context,
            proxy=None,
        ) as connection:
            connection.send("hello")
            self.assertEqual(connection.recv(timeout=DEADLINE), "hello")

    def _see(self, client: Client, wanted: bytes) -> None:
        seen = b""
        while wanted not in seen:
            data = client.receive()
            self.assertTrue(data, f"{wanted!r} did not come: {seen!r}")
            seen += data

    def test_prometheus(self) -> None:
        """
        A real Prometheus that scrapes node and agent.
        """
        self.follow("howto/prometheus.md")

    def test_grafana(self) -> None:
        """
        Dashboards go where Grafana looks for them.
        """
        self.follow("howto/grafana.md")

    def test_alerts(self) -> None:
        """
        promtool reads the alerts as a reader has changed them, and tries them.
        """
        self.follow("howto/alerts.md")

    def test_cluster(self) -> None:
        """
        Two nodes on one machine.
        """
        self.follow("howto/cluster.md")

    def test_upgrade(self) -> None:
        """
        A node that is drained by hand.
        """
        self.follow("howto/upgrade.md")

    def test_debug_a_502(self) -> None:
        """
        Each kind of 502, and how it goes away.
        """
        self.follow("howto/debug-a-502.md")

    def test_systemd(self) -> None:
        """
        What the units need, as far as that is possible without systemd.
        """
        self.follow("howto/systemd.md")

    def test_kubernetes(self) -> None:
        """
        The charts' values; what needs a cluster is not done.
        """
        self.follow("howto/kubernetes.md")

    def test_debian(self) -> None:
        """
        The Debian package; ``make test-package`` does what cannot be done here.
        """
        self.follow("howto/debian.md")

    def test_containers(self) -> None:
        """
        Containers; without Docker that is the health check.
        """
        self.follow("howto/containers.md")

    def test_rotate_logs(self) -> None:
        """
        A real logrotate.
        """
        self.follow("howto/rotate-logs.md")

    def test_embed_the_sdk(self) -> None:
        """
        A program that serves an endpoint itself.
        """
        self.follow("howto/embed-the-sdk.md")
