"""
A real Prometheus.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from tests.system.case import Scene
from tests.system.http_client import Client
from tests.system.processes import free_port
from tests.tools import tool


class Prometheus:
    """
    One that runs.
    """

    def __init__(self, scene: Scene, config: str) -> None:
        """
        Start it.

        :param config: what stands in its file, which may name others of the scene's directory.
        """
        path = scene.directory / "prometheus.yml"
        path.write_text(config)
        self._port = free_port()
        scene.start(
            "prometheus",
            [
                tool("prometheus"),
                f"--config.file={path}",
                f"--storage.tsdb.path={scene.directory / 'tsdb'}",
                f"--web.listen-address=127.0.0.1:{self._port}",
            ],
        )

    def ask(self, path: str) -> Mapping[str, object]:
        """
        Ask it something.

        :raises AssertionError: it has not read yet what it has stored.
        """
        with Client(self._port) as client:
            client.send(f"GET {path} HTTP/1.1\r\nHost: prometheus\r\nConnection: close\r\n\r\n".encode())
            response = client.response()
        assert response.status != 503
        answer = response.json()
        assert isinstance(answer, dict)
        if answer["status"] != "success":
            # Waiting does not help.
            raise ValueError(f"{path}: {answer}")
        return cast("Mapping[str, object]", answer["data"])
