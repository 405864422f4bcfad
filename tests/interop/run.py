"""
Run a Pico node with a Go agent, and a Pico agent with a Go server: ``make interop``.

The Go program is built from Piko's own building blocks (``main.go``), so this shows more than recordings can: that both
sides go on talking. It is not part of the ordinary tests because it needs Go.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

HERE = Path(__file__).parent
SIZE = 3_000_000


class _Service(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self._answer(hashlib.sha256(body).hexdigest().encode())

    def do_GET(self) -> None:
        self._answer(b"x" * SIZE if self.path == "/big" else b"hello")

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class calls it so
        pass


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _eventually(what: str, condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while time.monotonic() < end:
        try:
            if condition():
                return
        except (OSError, http.client.HTTPException):
            pass
        threading.Event().wait(0.05)
    raise SystemExit(f"interop: {what}: not within 30 s")


def _fetch(port: int, path: str, body: bytes | None = None) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("POST" if body is not None else "GET", path, body, {"x-piko-endpoint": "e"})
    response = connection.getresponse()
    return response.status, response.read()


def _check(name: str, port: int) -> None:
    _eventually(f"{name} serves", lambda: _fetch(port, "/") == (200, b"hello"))
    for number in range(300):
        if _fetch(port, f"/{number}") != (200, b"hello"):
            raise SystemExit(f"interop: {name}: request {number} failed")
    if _fetch(port, "/big") != (200, b"x" * SIZE):
        raise SystemExit(f"interop: {name}: download differs")
    upload = os.urandom(SIZE)
    if _fetch(port, "/", upload) != (200, hashlib.sha256(upload).hexdigest().encode()):
        raise SystemExit(f"interop: {name}: upload differs")
    print(f"{name}: 300 requests, {SIZE} bytes down and up: ok", flush=True)


def main() -> None:
    """
    Build, run, check, stop.
    """
    if shutil.which("go") is None:
        raise SystemExit("interop: this needs Go (https://go.dev/dl, or your distribution's golang package)")
    service = ThreadingHTTPServer(("127.0.0.1", 0), _Service)
    threading.Thread(target=service.serve_forever, daemon=True).start()
    address = f"127.0.0.1:{service.server_address[1]}"
    running: list[subprocess.Popen[bytes]] = []
    pico = (sys.executable, "-m", "pico")
    with tempfile.TemporaryDirectory() as folder:
        program = str(Path(folder) / "interop")
        print("building the Go program ...", flush=True)
        subprocess.run(["go", "build", "-o", program, "."], cwd=HERE, check=True)
        try:
            proxy, upstream, admin = _free_port(), _free_port(), _free_port()
            flags = [
                f"--{name}.bind-addr=127.0.0.1:{port}"
                for name, port in (("proxy", proxy), ("upstream", upstream), ("admin", admin), ("cluster.gossip", 0))
            ]
            running.append(subprocess.Popen([*pico, "server", *flags, "--proxy.access-log.disable"]))
            _eventually("the node is ready", lambda: _fetch(admin, "/ready")[0] == 200)
            url = f"ws://127.0.0.1:{upstream}/piko/v1/upstream/e"
            running.append(subprocess.Popen([program, "agent", url, address]))
            _check("Go agent at a Pico node", proxy)

            upstream, proxy = _free_port(), _free_port()
            running.append(subprocess.Popen([program, "server", f"127.0.0.1:{upstream}", f"127.0.0.1:{proxy}"]))
            running.append(
                subprocess.Popen([*pico, "agent", "http", "e", address, f"--connect.url=http://127.0.0.1:{upstream}"])
            )
            _check("Pico agent at a Go server", proxy)
        finally:
            for process in reversed(running):
                process.terminate()
            for process in running:
                process.wait(20)
            service.shutdown()


if __name__ == "__main__":
    main()
