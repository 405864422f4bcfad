"""
The ground that system tests stand on: a scene with nodes, agents and services, and test cases that have one.
"""

from __future__ import annotations

import atexit
import functools
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import ClassVar, TypeVar

from twisted.trial.unittest import SynchronousTestCase

from tests.system.http_client import Client, Response, fetch
from tests.system.network import Host, Network
from tests.system.processes import (
    DEADLINE,
    PICO,
    ROOT,
    Program,
    clean_environment,
    eventually,
    free_port,
)
from tests.system.services import HTTPService, RecordingService, WebSocketEcho

Service = TypeVar("Service", HTTPService, RecordingService, WebSocketEcho)

Settings = Mapping[str, object]


def flags(settings: Settings) -> list[str]:
    """
    Write settings, named by their dotted paths, as flags; ``None`` is for a flag without a value.
    """
    return [f"--{name.replace('_', '-')}" + ("" if value is None else f"={value}") for name, value in settings.items()]


class Node:
    """
    A ``pico server``.

    :ivar host: the address of its ports.
    :ivar proxy: its port for clients.
    :ivar upstream: its port for agents.
    :ivar admin: its port for operators.
    :ivar gossip: its port for other nodes.
    """

    def __init__(
        self,
        scene: Scene,
        settings: Settings,
        *,
        command: Sequence[str] = (*PICO, "server"),
        on: Host | None = None,
    ) -> None:
        """
        :param on: where it runs; beside the test when not given.
        """
        self._scene = scene
        self._on = on
        self.host = on.address if on is not None else "127.0.0.1"
        self._command = command
        self._settings = dict(settings)
        self.proxy = self.upstream = self.admin = self.gossip = 0
        self.program = self._start()

    def restart(self, settings: Settings | None = None) -> None:
        """
        Start it anew on the same ports; it must have ended.

        :param settings: that are others from now on.
        """
        self._settings.update(settings or {})
        for name, port in (
            ("proxy", self.proxy),
            ("upstream", self.upstream),
            ("admin", self.admin),
            ("cluster.gossip", self.gossip),
        ):
            self._settings[f"{name}.bind_addr"] = f"{self.host}:{port}"
        self.program = self._start()

    def status(self, path: str) -> object:
        """
        Ask the admin port.
        """
        with Client(self.admin, host=self.host) as client:
            client.send(f"GET {path} HTTP/1.1\r\nHost: admin\r\nConnection: close\r\n\r\n".encode())
            response = client.response()
        if response.status != 200:
            raise AssertionError(f"{path}: {response.status} {response.body!r}")
        return response.json()

    def metrics(self) -> dict[str, float]:
        """
        The numbers of ``/metrics``; names with their labels, as they are written there.
        """
        with Client(self.admin, host=self.host) as client:
            client.send(b"GET /metrics HTTP/1.1\r\nHost: admin\r\nConnection: close\r\n\r\n")
            text = client.response().body.decode()
        lines = [line.rpartition(" ") for line in text.splitlines() if line and not line.startswith("#")]
        return {name: float(value) for name, _, value in lines}

    @property
    def ready(self) -> bool:
        """
        Whether it says that it takes traffic.
        """
        with Client(self.admin, host=self.host) as client:
            client.send(b"GET /ready HTTP/1.1\r\nHost: admin\r\nConnection: close\r\n\r\n")
            return client.response().status == 200

    def tunnels(self, endpoint: str) -> int:
        """
        How many tunnels it has for an endpoint.
        """
        endpoints = self.status("/status/upstream/endpoints")
        assert isinstance(endpoints, dict)
        return int(endpoints.get(endpoint, 0))

    def wait_for_tunnels(self, endpoint: str, count: int = 1, timeout: float = DEADLINE) -> None:
        """
        Wait until it has so many of them.
        """
        eventually(
            lambda: self.tunnels(endpoint) == count,
            f"{count} tunnels for {endpoint}",
            timeout=timeout,
            interval=0.05,
        )

    def client(self) -> Client:
        """
        Connect to the port for clients.
        """
        return Client(self.proxy, host=self.host)

    def fetch(self, target: str = "/", method: str = "GET", **request: object) -> Response:
        """
        Ask once.
        """
        return fetch(self.proxy, target, method, at=self.host, **request)

    def _start(self) -> Program:
        settings: dict[str, object] = {
            "proxy.bind_addr": f"{self.host}:0",
            "upstream.bind_addr": f"{self.host}:0",
            "admin.bind_addr": f"{self.host}:0",
            "cluster.gossip.bind_addr": f"{self.host}:0",
            **self._settings,
        }
        command = [*self._command, *flags(settings)]
        program = self._scene.start("node", command if self._on is None else self._on.command(command))
        found = program.wait_for_log(r"ready: proxy \S*:(\d+), upstream \S*:(\d+), admin \S*:(\d+), gossip \S*:(\d+)")
        self.proxy, self.upstream, self.admin, self.gossip = (int(port) for port in found.groups())
        eventually(lambda: self.ready, "the node to be ready")
        return program


class Scene:
    """
    Whatever a test has started. Everything ends with it.
    """

    def __init__(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="pico-system-"))
        self._programs: list[Program] = []
        self._services: list[HTTPService | RecordingService | WebSocketEcho] = []
        self._networks: list[Network] = []

    def start(
        self,
        name: str,
        command: Sequence[str],
        *,
        environment: Mapping[str, str] | None = None,
        cwd: Path = ROOT,
        stdout: int | None = None,
        pass_fds: Sequence[int] = (),
    ) -> Program:
        """
        Start a program.
        """
        program = Program(
            name, command, self.directory, environment=environment, cwd=cwd, stdout=stdout, pass_fds=pass_fds
        )
        self._programs.append(program)
        return program

    def network(self) -> Network:
        """
        Make a network; it ends with the scene.
        """
        self._networks.append(Network())
        return self._networks[-1]

    def node(self, settings: Settings | None = None, *, on: Host | None = None) -> Node:
        """
        Start a node on free ports, of the loopback interface or of a host in a network.
        """
        return Node(self, settings or {}, on=on)

    def agent(
        self,
        node: Node | int,
        endpoint: str,
        address: object,
        settings: Settings | None = None,
        *,
        connected: int | None = 1,
    ) -> Program:
        """
        Start an agent.

        :param node: whose upstream port to dial, or that port.
        :param address: of the service.
        :param settings: flags of the agent and its one listener.
        :param connected: tunnels for the endpoint to wait for; ``None`` not to wait.
        """
        where = f"127.0.0.1:{node}" if isinstance(node, int) else f"{node.host}:{node.upstream}"
        all_settings = {"connect.url": f"http://{where}", **(settings or {})}
        command = [*PICO, "agent", "http", endpoint, str(address), *flags(all_settings)]
        program = self.start("agent", command)
        if connected is not None and not isinstance(node, int):
            node.wait_for_tunnels(endpoint, connected)
        return program

    def run(self, service: Service) -> Service:
        """
        Start a service in a thread.
        """
        service.start()
        self._services.append(service)
        return service

    def service_program(self, name: str = "service", port: int = 0) -> tuple[Program, int]:
        """
        Start an :class:`HTTPService` as a process.

        :return: the process and its port.
        """
        port = port or free_port()
        program = self.start(name, [sys.executable, "-m", "tests.system.services", name, str(port)])
        program.wait_for_log("listening on")
        return program, port

    def check(self) -> None:
        """
        Look for bugs that programs have logged since the last time.
        """
        for program in self._programs:
            trouble = program.new_trouble()
            if trouble:
                raise AssertionError(f"{program.name} ({program.pid}) logged a bug:\n{trouble}")

    def show(self) -> None:
        """
        Print the ends of all logs.
        """
        for program in self._programs:
            state = "runs" if program.running else f"ended with {program.wait()}"
            print(
                f"--- {program.name} ({state}): {' '.join(program.command)}\n{program.log[-3000:]}",
                file=sys.stderr,
            )

    def close(self) -> None:
        """
        End everything.
        """
        for program in self._programs:
            program.kill()
        for service in self._services:
            service.close()
        for network in self._networks:
            network.close()
        shutil.rmtree(self.directory, ignore_errors=True)


def pico(
    *arguments: str, timeout: float = DEADLINE, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """
    Run a command of Pico to its end.
    """
    return run([*PICO, *arguments], timeout=timeout, environment=environment)


def run(
    command: Sequence[str], timeout: float = DEADLINE, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """
    Run a command to its end.
    """
    return subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env=clean_environment(environment),
        cwd=ROOT,
        timeout=timeout,
        check=False,
    )


class SystemTestCase(SynchronousTestCase):
    """
    A test with a scene of its own.

    When a test fails, the logs of its programs are printed; when a program has logged a traceback, the test fails.
    """

    scene: Scene

    def __init_subclass__(cls) -> None:
        for name, method in list(vars(cls).items()):
            if name.startswith("test_"):
                setattr(cls, name, _showing_logs(method))

    def setUp(self) -> None:
        """
        Open the scene.
        """
        self.scene = Scene()
        self.addCleanup(self.scene.close)


class SharedSceneTestCase(SystemTestCase):
    """
    Tests that use one scene one after the other, because starting programs takes most of their time.

    The scene is set before the first of them and closed when a test of another class begins.
    """

    _current: ClassVar[type[SharedSceneTestCase] | None] = None
    _shared: ClassVar[Scene | None] = None

    def setUp(self) -> None:
        """
        Have the scene set.
        """
        owner = SharedSceneTestCase
        if owner._current is not type(self):
            leave_shared_scene()
            owner._shared, owner._current = Scene(), type(self)
            try:
                self.set_scene(owner._shared)
            except BaseException:
                owner._shared.show()
                leave_shared_scene()
                raise
        assert owner._shared is not None
        self.scene = owner._shared

    @classmethod
    def set_scene(cls, scene: Scene) -> None:
        """
        Start what the tests need, and keep it in attributes of the class.
        """
        raise NotImplementedError


class OneOfEachTestCase(SharedSceneTestCase):
    """
    Tests with one node, one agent and one service behind it, whose endpoint is ``e``.
    """

    node: Node
    service: HTTPService
    agent: Program

    @classmethod
    def set_scene(cls, scene: Scene) -> None:
        """
        Connect the service.
        """
        cls.service = scene.run(HTTPService("s"))
        cls.node = scene.node()
        cls.agent = scene.agent(cls.node, "e", cls.service.port)


@atexit.register
def leave_shared_scene() -> None:
    """
    Close the scene that tests share, if there is one.
    """
    scene, SharedSceneTestCase._shared = SharedSceneTestCase._shared, None
    SharedSceneTestCase._current = None
    if scene is not None:
        scene.close()


def _showing_logs(method: Callable[[SystemTestCase], None]) -> Callable[[SystemTestCase], None]:
    @functools.wraps(method)
    def test(self: SystemTestCase) -> None:
        try:
            method(self)
            self.scene.check()
        except BaseException:
            self.scene.show()
            raise

    return test


def as_json(text: str) -> object:
    """
    Read JSON.
    """
    return json.loads(text)
