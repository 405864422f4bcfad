"""
Node and agent under a supervisor: the test is systemd. It hears what they say, holds the sockets of a node across
restarts, and sends the signals.
"""

from __future__ import annotations

import itertools
import os
import re
import resource
import shlex
import shutil
import signal
import socket
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from unittest import SkipTest

from pico.config.agent import AgentConfig
from pico.config.server import ServerConfig
from tests.system.case import Node, Scene, SystemTestCase, flags, run
from tests.system.http_client import Broken, Client, request_bytes
from tests.system.processes import PICO, ROOT, Program, eventually, free_port
from tests.system.services import HTTPService

TWISTD = (str(Path(sys.executable).with_name("twistd")), "-n", "--pidfile=", "pico")
SERVER = (*PICO, "server")

#: Becomes a program whose descriptors and LISTEN_PID are as systemd makes them.
_LAUNCH = """
import fcntl, os, sys
high = [fcntl.fcntl(int(each), fcntl.F_DUPFD, 100) for each in sys.argv[1].split(",") if each]
for index, each in enumerate(high):
    os.dup2(each, 3 + index)
    os.close(each)
os.environ["LISTEN_PID"] = os.environ["WATCHDOG_PID"] = str(os.getpid())
os.execv(sys.argv[2], sys.argv[2:])
"""


class Systemd:
    """
    What supervises.

    :ivar sockets: those that are passed on, by the names under which they are.
    """

    def __init__(self, scene: Scene, *names: str) -> None:
        self.scene = scene
        self.sockets = {name: socket.create_server(("127.0.0.1", 0), backlog=4096) for name in names}
        self.ports = {name: made.getsockname()[1] for name, made in self.sockets.items()}
        self.path = scene.directory / "notify"
        self.heard: list[tuple[float, str]] = []
        self._notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._notify.bind(str(self.path))
        self._thread = threading.Thread(target=self._hear, daemon=True)
        self._thread.start()

    def start(
        self, name: str, command: Sequence[str], *, watchdog: float = 0.0, environment: Mapping[str, str] | None = None
    ) -> Program:
        """
        Start a service.
        """
        variables = {"NOTIFY_SOCKET": str(self.path)}
        if watchdog:
            variables["WATCHDOG_USEC"] = str(int(watchdog * 1e6))
        if self.sockets:
            variables |= {"LISTEN_FDS": str(len(self.sockets)), "LISTEN_FDNAMES": ":".join(self.sockets)}
        numbers = [each.fileno() for each in self.sockets.values()]
        return self.scene.start(
            name,
            [sys.executable, "-c", _LAUNCH, ",".join(map(str, numbers)), *command],
            environment={**variables, **(environment or {})},
            pass_fds=numbers,
        )

    def wait_for(self, text: str) -> float:
        """
        Wait until something was said.

        :return: when.
        """

        def find() -> float:
            return next((moment for moment, said in self.heard if text in said), 0.0)

        return eventually(find, f"{text!r} to be said ({[said for _, said in self.heard][-5:]})")

    @property
    def beats(self) -> list[float]:
        """
        When it gave signs of life.
        """
        return [moment for moment, said in self.heard if "WATCHDOG=1" in said]

    def close(self) -> None:
        """
        Supervise no more.
        """
        for each in self.sockets.values():
            each.close()
        self._notify.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._notify.close()

    def _hear(self) -> None:
        while True:
            said = self._notify.recv(4096)
            if not said:
                return
            self.heard.append((time.monotonic(), said.decode()))


class SupervisedNode(Node):
    """
    A node that systemd starts.
    """

    def __init__(
        self, systemd: Systemd, settings: Mapping[str, object], command: Sequence[str], *, watchdog: float = 0.0
    ) -> None:
        self._systemd = systemd
        self._watchdog = watchdog
        super().__init__(systemd.scene, settings, command=command)

    def _start(self) -> Program:
        # What was passed must not be bound as well: port 1 is nobody's to have.
        settings = {
            f"{name}.bind_addr": "127.0.0.1:1" if name in self._systemd.sockets else "127.0.0.1:0"
            for name in ("proxy", "upstream", "admin", "cluster.gossip")
        }
        command = [*self._command, *flags({**settings, **self._settings})]
        program = self._systemd.start("node", command, watchdog=self._watchdog)
        found = program.wait_for_log(r"ready: proxy \S*:(\d+), upstream \S*:(\d+), admin \S*:(\d+)")
        self.proxy, self.upstream, self.admin = (int(port) for port in found.groups())
        return program


class Load:
    """
    Clients that come all the time, each on a connection of its own.

    :ivar answers: the statuses that they got.
    :ivar failures: what they got instead.
    """

    def __init__(self, port: int, clients: int = 4) -> None:
        self._port = port
        self._done = threading.Event()
        self._threads = [threading.Thread(target=self._ask, daemon=True) for _ in range(clients)]
        self.answers: list[int] = []
        self.failures: list[BaseException] = []

    def __enter__(self) -> Load:
        for each in self._threads:
            each.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._done.set()
        for each in self._threads:
            each.join()

    def wait_for(self, count: int) -> None:
        """
        Wait until so many more have been answered.
        """
        before = len(self.answers)
        eventually(lambda: len(self.answers) >= before + count or self.failures, f"{count} answers")

    def _ask(self) -> None:
        while not self._done.wait(0.002):
            try:
                with Client(self._port) as client:
                    client.send(request_bytes("GET", "/load", headers=[("Connection", "close")]))
                    self.answers.append(client.response().status)
            except (OSError, Broken) as error:
                self.failures.append(error)


class DaemonTestCase(SystemTestCase):
    """
    Tests with a supervisor.
    """

    def systemd(self, *names: str) -> Systemd:
        """
        Make one that holds sockets of these names.
        """
        made = Systemd(self.scene, *names)
        self.addCleanup(made.close)
        return made


class ServerTests(DaemonTestCase):
    """
    ``pico server``.
    """

    command: Sequence[str] = SERVER

    def test_notifications(self) -> None:
        """
        Ready, what it does, that it lives, and that it stops.
        """
        systemd = self.systemd()
        node = SupervisedNode(systemd, {"grace_period": "10m"}, self.command, watchdog=0.4)
        systemd.wait_for("READY=1\nSTATUS=0 tunnels, 0 endpoints")
        service = self.scene.run(HTTPService("s"))
        self.scene.agent(node, "e", service.port)
        systemd.wait_for("STATUS=1 tunnel, 1 endpoint")
        with node.client() as client:
            client.send(request_bytes("GET", "/gate/g"))
            eventually(lambda: service.waiting["/gate/g"], "the request at the gate")
            began = time.monotonic()
            node.program.terminate()
            stopping = systemd.wait_for("STOPPING=1")
            self.assertGreaterEqual(stopping, began)
            systemd.wait_for("STATUS=draining: 1 request left")
            # It also lives while it drains.
            eventually(lambda: systemd.beats[-1] > stopping, "a sign of life")
            service.open_gate("g")
            self.assertEqual(client.response().status, 200)
        self.assertEqual(node.program.wait(), 0)
        gaps = sorted(after - before for before, after in itertools.pairwise(systemd.beats))
        # Twice in each interval; half of them tells even on a machine that is busy.
        self.assertLess(gaps[len(gaps) // 2], 0.3)

    def test_hangs(self) -> None:
        """
        A node that hangs gives no sign of life.
        """
        systemd = self.systemd()
        node = SupervisedNode(systemd, {}, self.command, watchdog=0.2)
        systemd.wait_for("WATCHDOG=1")
        node.program.freeze()
        count = len(systemd.heard)
        time.sleep(0.5)
        self.assertLessEqual(len(systemd.heard), count + 1)
        node.program.thaw()
        eventually(lambda: len(systemd.heard) > count + 1, "signs of life")

    def test_restarts_under_load(self) -> None:
        """
        With its sockets held by another, a node can be restarted while clients come: all of them are answered, by
        the service.
        """
        systemd = self.systemd("proxy", "upstream", "admin")
        node = SupervisedNode(systemd, {}, self.command)
        self.assertEqual(
            (node.proxy, node.upstream, node.admin), tuple(systemd.ports[n] for n in ("proxy", "upstream", "admin"))
        )
        service = self.scene.run(HTTPService("s"))
        agents = [self.scene.agent(node, "e", service.port, connected=number) for number in (1, 2)]
        with Load(node.proxy) as load:
            load.wait_for(100)
            for _ in range(2):
                node.program.terminate()
                self.assertEqual(node.program.wait(), 0)
                node.program = node._start()
                load.wait_for(100)
        self.assertEqual(load.failures, [])
        self.assertEqual(set(load.answers), {200})
        node.wait_for_tunnels("e", 2)
        self.assertTrue(all(agent.running for agent in agents))

    def test_some_sockets(self) -> None:
        """
        A node may get one socket and bind the other ports itself; port 80 is the usual reason.
        """
        systemd = self.systemd("proxy")
        node = SupervisedNode(systemd, {}, self.command)
        self.assertEqual(node.proxy, systemd.ports["proxy"])
        service = self.scene.run(HTTPService("s"))
        self.scene.agent(node, "e", service.port)
        self.assertEqual(node.fetch("/x").status, 200)

    def test_max_unsent_bytes(self) -> None:
        """
        ``proxy.http.max_unsent_bytes`` is what the system keeps for a client, on a socket that was passed as well;
        0 takes back what the node before has set.
        """
        systemd = self.systemd("proxy")
        for written, limit in (("64KiB", 65_536), ("0", 0)):
            node = SupervisedNode(systemd, {"proxy.http.max_unsent_bytes": written}, self.command)
            held = systemd.sockets["proxy"].getsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT)
            self.assertEqual(held, limit)
            node.program.terminate()
            self.assertEqual(node.program.wait(), 0)

    def test_wrong_sockets(self) -> None:
        """
        A socket that it cannot use keeps a node from starting, with one line that says why, and status 1.
        """
        systemd = self.systemd("pico.socket")
        program = systemd.start("node", self.command)
        self.assertEqual(program.wait(), 1)
        self.assertIn(
            'pico: there is no use for the passed socket named "pico.socket": FileDescriptorName= must be one of '
            "proxy, upstream, admin",
            program.log,
        )
        self.assertNotIn("Traceback", program.log)
        self.assertEqual(systemd.heard, [])
        systemd.sockets["pico.socket"].close()
        systemd.sockets = {"proxy": socket.socket(socket.AF_INET, socket.SOCK_DGRAM)}
        program = systemd.start("node", self.command)
        self.assertEqual(program.wait(), 1)
        self.assertIn('"proxy" (descriptor 3) is not a TCP socket', program.log)

    def test_open_files(self) -> None:
        """
        A node raises its limit of open files as far as it may, and says in one line if that is not enough.
        """
        few = {"proxy.http.max_connections": 50, "upstream.max_tunnels": 20, "upstream.max_handshakes": 5}
        for settings, warnings in ((few, 0), ({**few, "upstream.max_tunnels": 620}, 1)):
            limited = ["/bin/sh", "-c", 'ulimit -Sn 400; ulimit -Hn 800; exec "$@"', "sh", *self.command]
            node = Node(self.scene, {**settings, "admin.max_connections": 100}, command=limited)
            soft, hard = resource.prlimit(node.program.pid, resource.RLIMIT_NOFILE)
            self.assertEqual((soft, hard), (800, 800))
            told = re.findall("open files: 800 allowed, but the settings let 807 be needed; raise", node.program.log)
            self.assertEqual(len(told), warnings, node.program.log)

    def test_second_signal(self) -> None:
        """
        A second SIGTERM ends a drain at once, with status 1 and without a traceback.
        """
        systemd = self.systemd()
        node = SupervisedNode(systemd, {"drain_delay": "10m"}, self.command)
        systemd.wait_for("READY=1")
        node.program.terminate()
        systemd.wait_for("STOPPING=1")
        began = time.monotonic()
        node.program.terminate()
        self.assertEqual(node.program.wait(), 1)
        self.assertLess(time.monotonic() - began, 10)
        self.assertNotIn("Traceback", node.program.log)

    def test_at_once(self) -> None:
        """
        A node that is told to stop as soon as it says that it is ready drains as well.
        """
        systemd = self.systemd()
        program = systemd.start("node", [*self.command, *flags(dict.fromkeys(_BIND, "127.0.0.1:0"))])
        systemd.wait_for("READY=1")
        program.terminate()
        self.assertEqual(program.wait(), 0)

    def test_drain_delay(self) -> None:
        """
        Not ready at once; clients are taken for the delay, agents refused; then nobody.
        """
        node = SupervisedNode(self.systemd(), {"drain_delay": "3s"}, self.command)
        service = self.scene.run(HTTPService("s"))
        agent = self.scene.agent(node, "e", service.port)
        node.program.terminate()
        began = time.monotonic()
        eventually(lambda: not node.ready, "the node not to be ready")
        while time.monotonic() - began < 1.5:
            self.assertEqual(node.fetch("/x").status, 200)
        agent.wait_for_log("no other tunnel for e yet: .*503")
        self.assertEqual(node.program.wait(), 0)
        self.assertGreater(time.monotonic() - began, 2.9)

    def test_exit_status(self) -> None:
        """
        0 after a drain, also when the grace period has cut something; 1 for what fails; 2 for wrong use.
        """
        node = SupervisedNode(self.systemd(), {"grace_period": "200ms"}, self.command)
        service = self.scene.run(HTTPService("s"))
        self.scene.agent(node, "e", service.port)
        with node.client() as client:
            client.send(request_bytes("GET", "/gate/never"))
            eventually(lambda: service.waiting["/gate/never"], "the request at the gate")
            node.program.terminate()
            self.assertEqual(node.program.wait(), 0)
            self.assertRaises(Broken, client.response)
        self.assertIn("grace period over: 1 connection cut", node.program.log)
        with socket.create_server(("127.0.0.1", 0)) as taken:
            for arguments, status, text in (
                ([f"--admin.bind-addr=127.0.0.1:{taken.getsockname()[1]}"], 1, "address already in use"),
                (["--proxy.bind-addr=nonsense"], 2, "nonsense"),
                (["--config.path=/nonexistent.yaml"], 1, "/nonexistent.yaml"),
                (["--no-such-flag"], 2, "no-such-flag"),
            ):
                result = run([*self.command, *arguments])
                self.assertEqual(result.returncode, status, (arguments, result.stdout, result.stderr))
                # twistd has its standard error in its log.
                said = result.stdout + result.stderr
                self.assertIn(text, said)
                self.assertNotIn("Traceback", said)


class TwistdTests(ServerTests):
    """
    ``twistd pico``, which is to be the same.
    """

    command = TWISTD

    def test_pidfile(self) -> None:
        """
        In the background it keeps its id in a file, as twistd does, and takes it away in the end.
        """
        path = self.scene.directory / "pico.pid"
        log = self.scene.directory / "twistd.out"
        port = free_port()
        settings = flags({**dict.fromkeys(_BIND, "127.0.0.1:0"), "admin.bind_addr": f"127.0.0.1:{port}"})
        command = [TWISTD[0], f"--pidfile={path}", f"--logfile={log}", "pico", *settings]
        result = run(command)
        self.assertEqual(result.returncode, 0, result.stderr)
        pid = int(eventually(lambda: path.exists() and path.read_text(), "the file"))
        self.addCleanup(_kill, pid, command)
        eventually(lambda: Client(port).get("/ready").status == 200, "the node to be ready")
        again = run(command)
        self.assertNotEqual(again.returncode, 0)
        self.assertIn("running", again.stdout + again.stderr)
        os.kill(pid, signal.SIGTERM)
        eventually(lambda: not path.exists(), "the file to go")
        eventually(lambda: not Path(f"/proc/{pid}/cmdline").exists(), "the node to end")


class AgentTests(DaemonTestCase):
    """
    ``pico agent``.
    """

    def test_notifications(self) -> None:
        """
        Ready when it is connected, what it does, that it lives, and that it stops.
        """
        service = self.scene.run(HTTPService("s"))
        node = self.scene.node()
        systemd = self.systemd()
        agent = systemd.start(
            "agent",
            [*PICO, "agent", "http", "e", str(service.port), f"--connect.url=http://127.0.0.1:{node.upstream}"],
            watchdog=0.4,
        )
        systemd.wait_for("READY=1\nSTATUS=1 of 1 endpoints connected")
        node.wait_for_tunnels("e", 1)
        systemd.wait_for("WATCHDOG=1")
        node.program.kill()
        systemd.wait_for("STATUS=0 of 1 endpoints connected; e: ")
        agent.terminate()
        systemd.wait_for("STOPPING=1")
        self.assertEqual(agent.wait(), 0)

    def test_no_node(self) -> None:
        """
        An agent whose node is not there is ready when it has tried: it goes on trying, and says what is wrong.
        """
        systemd = self.systemd()
        url = f"http://127.0.0.1:{free_port()}"
        agent = systemd.start("agent", [*PICO, "agent", "http", "e", "4000", f"--connect.url={url}"])
        systemd.wait_for("READY=1\nSTATUS=0 of 1 endpoints connected; e: ")
        agent.terminate()
        self.assertEqual(agent.wait(), 0)


class UnitTests(DaemonTestCase):
    """
    The units in ``etc/systemd``, as far as that is possible without systemd.
    """

    def command(self, unit: dict[str, list[str]], config: Path) -> list[str]:
        """
        What a unit starts, with the program under test and a configuration of the test.
        """
        program, *arguments = shlex.split(unit["ExecStart"][0])
        self.assertEqual(program, "/opt/pico/bin/pico")
        index = arguments.index("--config.path") + 1
        self.assertTrue(arguments[index].startswith("/etc/pico/"))
        return [*PICO, *arguments[:index], str(config), *arguments[index + 1 :]]

    def test_node(self) -> None:
        """
        What pico.service starts gets the sockets of the socket units, and says when it is ready and that it lives.
        """
        sockets = [_unit(path) for path in sorted(_UNITS.glob("*.socket"))]
        ports = {each["FileDescriptorName"][0]: each["ListenStream"] for each in sockets}
        self.assertEqual(ports, {"admin": ["8002"], "proxy": ["8000"], "upstream": ["8001"]})
        self.assertEqual([each["Service"] for each in sockets], [["pico.service"]] * 3)
        unit = _unit(_UNITS / "pico.service")
        self.assertEqual((unit["Type"], unit["NotifyAccess"]), (["notify"], ["main"]))
        systemd = self.systemd(*ports)
        config = self.scene.directory / "pico.yaml"
        config.write_text((_UNITS.parent / "pico.yaml").read_text().replace('":8003"', '"127.0.0.1:0"'))
        program = systemd.start("node", self.command(unit, config), watchdog=0.5)
        systemd.wait_for("READY=1")
        systemd.wait_for("WATCHDOG=1")
        self.assertEqual(Client(systemd.ports["admin"]).get("/ready").status, 200)
        program.terminate()
        systemd.wait_for("STOPPING=1")
        self.assertEqual(program.wait(), 0)

    def test_agent(self) -> None:
        """
        What pico-agent@.service starts serves what its file lists.
        """
        node = self.scene.node()
        service = self.scene.run(HTTPService("s"))
        unit = _unit(_UNITS / "pico-agent@.service")
        systemd = self.systemd()
        config = self.scene.directory / "agent.yaml"
        config.write_text(
            f"connect: {{url: 'http://127.0.0.1:{node.upstream}'}}\n"
            f"listeners: [{{endpoint_id: e, addr: '{service.port}'}}]\n"
        )
        agent = systemd.start("agent", self.command(unit, config))
        systemd.wait_for("READY=1\nSTATUS=1 of 1 endpoints connected")
        self.assertEqual(node.fetch("/x").status, 200)
        agent.terminate()
        self.assertEqual(agent.wait(), 0)

    def test_time_to_stop(self) -> None:
        """
        systemd waits for longer than a drain takes by default.
        """
        for name, config in (("pico.service", ServerConfig()), ("pico-agent@.service", AgentConfig())):
            delay = getattr(config, "drain_delay", 0.0)
            self.assertGreater(int(_unit(_UNITS / name)["TimeoutStopSec"][0]), delay + config.grace_period + 10)

    def test_verified(self) -> None:
        """
        systemd finds nothing wrong with them, and little that they could do without.
        """
        analyze = shutil.which("systemd-analyze")
        if analyze is None:
            raise SkipTest("needs systemd-analyze")
        # It wants the program to exist.
        for path in _UNITS.iterdir():
            text = path.read_text().replace("/opt/pico/bin/pico ", "/bin/true ")
            (self.scene.directory / path.name).write_text(text)
        names = [path.name.replace("@.", "@x.") for path in _UNITS.iterdir()]
        result = run([analyze, "verify", *(str(self.scene.directory / name) for name in names)])
        about_ours = [line for line in result.stderr.splitlines() if "pico" in line]
        self.assertEqual(about_ours, [])
        for name in ("pico.service", "pico-agent@.service"):
            result = run([analyze, "security", "--offline=yes", "--threshold=15", str(self.scene.directory / name)])
            self.assertEqual(result.returncode, 0, result.stdout + result.stderr)


_UNITS = ROOT / "etc" / "systemd"

_BIND = ("proxy.bind_addr", "upstream.bind_addr", "admin.bind_addr", "cluster.gossip.bind_addr")


def _unit(path: Path) -> dict[str, list[str]]:
    """
    Read a unit's settings.
    """
    settings: dict[str, list[str]] = {}
    for line in path.read_text().splitlines():
        name, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            settings.setdefault(name, []).append(value)
    return settings


def _kill(pid: int, command: Sequence[str]) -> None:
    try:
        cmdline = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return
    if command[1].encode() in cmdline:
        os.kill(pid, signal.SIGKILL)
