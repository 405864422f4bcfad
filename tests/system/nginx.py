"""
A real nginx.
"""

from __future__ import annotations

import subprocess

from tests.system.case import Scene
from tests.system.http_client import Client, request_bytes
from tests.system.processes import clean_environment, eventually
from tests.system.services import HTTPService
from tests.tools import tool

#: Nothing but what it is told to write, all of it in one directory, as whoever starts it.
_CONFIG = """
daemon off;
worker_processes 1;
pid {directory}/nginx.pid;
error_log stderr warn;
events {{ worker_connections 2048; }}
http {{
    access_log off;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    client_max_body_size 0;
    map $http_upgrade $connection_upgrade {{ default upgrade; '' ''; }}
    {inside}
}}
"""


def nginx() -> str:
    """
    The program.
    """
    return tool("nginx", "nginx-light")


class Nginx:
    """
    One that runs.

    :ivar port: where it listens.
    """

    def __init__(self, scene: Scene, inside: str, port: int) -> None:
        """
        Start it and wait until it listens.

        :param inside: what stands in ``http``: servers, and what they use.
        """
        self.port = port
        self._directory = scene.directory
        self._file = scene.directory / "nginx.conf"
        self._command = [nginx(), "-e", "stderr", "-p", str(scene.directory), "-c", str(self._file)]
        self._write(inside)
        scene.start("nginx", self._command)
        eventually(self._listens, "nginx to listen")

    def use(self, inside: str) -> None:
        """
        Have it do something else from now on. It may do what it did before for a moment.
        """
        self._write(inside)
        subprocess.run([*self._command, "-s", "reload"], check=True, capture_output=True, env=clean_environment())

    def _write(self, inside: str) -> None:
        self._file.write_text(_CONFIG.format(directory=self._directory, inside=inside))

    def _listens(self) -> bool:
        Client(self.port).close()
        return True


def see_events(client: Client, service: HTTPService) -> None:
    """
    See that events come through it one by one, each before the next is made.

    :param client: connected to it.
    """
    client.send(request_bytes("GET", "/sse/n"))
    seen = b""
    for number in range(5):
        service.push("n", f"event {number}")
        while f"data: event {number}\n\n".encode() not in seen:
            data = client.receive()
            if not data:
                raise AssertionError(f"event {number} did not come: {seen!r}")
            seen += data
    service.push("n", "")
