"""
What systemd says and hears, read from dictionaries; sockets without a network.
"""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Callable
from pathlib import Path

from twisted.application.service import Service
from twisted.internet.defer import Deferred, succeed
from twisted.internet.protocol import ServerFactory
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from pico.errors import ListenError
from pico.net.ports import adopt_tcp
from pico.net.supervised import STATUS_INTERVAL, STOPPING_INTERVAL, Notifies, Supervised
from pico.net.systemd import (
    Descriptor,
    Notifier,
    Supervision,
    inherited_sockets,
    message_of,
    parse_descriptors,
    parse_supervision,
    take_variables,
)
from tests.net.support import FakeNotifier


class VariableTests(SynchronousTestCase):
    """
    The environment.
    """

    def test_taken_from_children(self) -> None:
        """
        What is for this process is taken out of the environment, the rest left alone.
        """
        environ = {"NOTIFY_SOCKET": "/n", "LISTEN_PID": "1", "PATH": "/bin", "WATCHDOG_USEC": "5"}
        taken = take_variables(environ)
        self.assertEqual(environ, {"PATH": "/bin"})
        self.assertEqual(taken, {"NOTIFY_SOCKET": "/n", "LISTEN_PID": "1", "WATCHDOG_USEC": "5"})

    def test_supervision(self) -> None:
        """
        Where to, and how often; nothing for a watchdog of another process, or without an address.
        """
        for variables, expected in (
            ({}, Supervision()),
            ({"NOTIFY_SOCKET": "@n"}, Supervision("@n")),
            ({"NOTIFY_SOCKET": "/n", "WATCHDOG_USEC": "30000000"}, Supervision("/n", 30.0)),
            ({"NOTIFY_SOCKET": "/n", "WATCHDOG_USEC": "500000", "WATCHDOG_PID": "7"}, Supervision("/n", 0.5)),
            ({"NOTIFY_SOCKET": "/n", "WATCHDOG_USEC": "500000", "WATCHDOG_PID": "8"}, Supervision("/n")),
            ({"NOTIFY_SOCKET": "/n", "WATCHDOG_USEC": "often"}, Supervision("/n")),
            ({"NOTIFY_SOCKET": "/n", "WATCHDOG_USEC": "-1"}, Supervision("/n")),
            ({"WATCHDOG_USEC": "30000000"}, Supervision()),
        ):
            self.assertEqual(parse_supervision(variables, 7), expected, variables)

    def test_descriptors(self) -> None:
        """
        Descriptors begin with 3 and have the names of their units; those for another process are none of ours.
        """
        for variables, expected in (
            ({}, []),
            ({"LISTEN_PID": "7"}, []),
            ({"LISTEN_PID": "7", "LISTEN_FDS": "0"}, []),
            (
                {"LISTEN_PID": "7", "LISTEN_FDS": "2", "LISTEN_FDNAMES": "proxy:admin"},
                [Descriptor("proxy", 3), Descriptor("admin", 4)],
            ),
            ({"LISTEN_PID": "7", "LISTEN_FDS": "1"}, [Descriptor("unknown", 3)]),
            ({"LISTEN_PID": "8", "LISTEN_FDS": "1", "LISTEN_FDNAMES": "proxy"}, []),
            ({"LISTEN_FDS": "1", "LISTEN_FDNAMES": "proxy"}, []),
        ):
            self.assertEqual(list(parse_descriptors(variables, 7)), expected, variables)

    def test_descriptors_that_make_no_sense(self) -> None:
        """
        They are errors.
        """
        for variables, expected in (
            ({"LISTEN_FDS": "two"}, "LISTEN_FDS=two is not a number of sockets"),
            ({"LISTEN_FDS": "-1"}, "LISTEN_FDS=-1 is not a number of sockets"),
            ({"LISTEN_FDS": ""}, "LISTEN_FDS= is not a number of sockets"),
            ({"LISTEN_FDS": "2", "LISTEN_FDNAMES": "proxy"}, "LISTEN_FDNAMES has 1 names for 2 sockets"),
        ):
            with self.assertRaises(ListenError) as caught:
                parse_descriptors({"LISTEN_PID": "7", **variables}, 7)
            self.assertEqual(str(caught.exception), expected)

    def test_message(self) -> None:
        """
        A field is a line; a line break within one would begin another.
        """
        self.assertEqual(message_of({"READY": "1", "STATUS": "a\nb  c"}), b"READY=1\nSTATUS=a b c")


class InheritedTests(SynchronousTestCase):
    """
    Sockets that were passed.
    """

    def passed(self, made: socket.socket, name: str = "proxy") -> Descriptor:
        """
        Leave a socket to whoever takes the descriptor.
        """
        self.addCleanup(_close, made.fileno())
        return Descriptor(name, made.detach())

    def listening(self) -> socket.socket:
        """
        Make a socket that listens.
        """
        made = socket.create_server(("127.0.0.1", 0))
        made.set_inheritable(True)
        return made

    def test_taken(self) -> None:
        """
        They come back by name, several of one too; no child inherits them, and they do not block.
        """
        descriptors = [self.passed(self.listening(), name) for name in ("proxy", "admin", "proxy")]
        taken = inherited_sockets(descriptors, ("proxy", "upstream", "admin"))
        self.assertEqual([each.fileno() for each in taken["proxy"]], [descriptors[0].number, descriptors[2].number])
        self.assertEqual([each.fileno() for each in taken["admin"]], [descriptors[1].number])
        for each in (*taken["proxy"], *taken["admin"]):
            self.assertFalse(each.get_inheritable())
            self.assertFalse(each.getblocking())
            each.close()

    def refusal(self, *descriptors: Descriptor) -> str:
        """
        Why they are not taken.
        """
        with self.assertRaises(ListenError) as caught:
            inherited_sockets(descriptors, ("proxy", "admin"))
        return str(caught.exception)

    def test_wrong_name(self) -> None:
        """
        A name that there is no use for is an error, which says what to write; what was taken before is let go.
        """
        good = self.passed(self.listening())
        self.assertEqual(
            self.refusal(good, self.passed(self.listening(), "pico-proxy.socket")),
            'there is no use for the passed socket named "pico-proxy.socket": '
            "FileDescriptorName= must be one of proxy, admin",
        )
        self.assertRaises(OSError, os.fstat, good.number)

    def test_not_a_socket(self) -> None:
        """
        Files, descriptors that are closed, and sockets of other kinds are errors.
        """
        made = os.open(os.devnull, os.O_RDONLY)
        self.addCleanup(_close, made)
        self.assertEqual(
            self.refusal(Descriptor("proxy", made)),
            f'what was passed as "proxy" (descriptor {made}) is not a socket',
        )
        self.assertIn("bad file descriptor", self.refusal(Descriptor("proxy", 9999)).lower())
        udp = self.passed(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        self.assertIn("is not a TCP socket", self.refusal(udp))
        local, other = socket.socketpair(socket.AF_UNIX)
        self.addCleanup(other.close)
        self.assertIn("is not a TCP socket", self.refusal(self.passed(local)))
        self.assertIn("does not listen", self.refusal(self.passed(socket.socket())))

    def test_adopt(self) -> None:
        """
        A reactor that is not of POSIX is asked for a port of its own, and the socket is closed.
        """
        reactor = MemoryReactorClock()
        listening = self.listening()
        factory = ServerFactory()
        adopt_tcp(reactor, listening, factory)
        ((_, family, adopted),) = reactor.adoptedPorts
        self.assertEqual((family, adopted), (socket.AF_INET, factory))
        self.assertEqual(listening.fileno(), -1)


class NotifierTests(SynchronousTestCase):
    """
    Notifications arrive as datagrams.
    """

    def receiver(self, address: str) -> socket.socket:
        """
        Listen for them.
        """
        made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(made.close)
        made.bind(address)
        made.setblocking(False)
        return made

    def test_addresses(self) -> None:
        """
        To paths and to abstract names.
        """
        with tempfile.TemporaryDirectory() as directory:
            path = str(Path(directory) / "notify")
            abstract = f"pico-test-{os.getpid()}"
            for address, bound in ((path, path), ("@" + abstract, "\0" + abstract)):
                receiver = self.receiver(bound)
                notifier = Notifier(address)
                notifier.send(patience=1.0, READY="1", STATUS="two words")
                self.assertEqual(receiver.recv(1000), b"READY=1\nSTATUS=two words")
                notifier.close()

    def test_nobody(self) -> None:
        """
        A supervisor that is gone or does not listen keeps nobody from working.
        """
        abstract = f"pico-test-full-{os.getpid()}"
        self.receiver("\0" + abstract)
        for address in ("/nonexistent/notify", "@" + abstract):
            notifier = Notifier(address)
            for _ in range(2000):
                notifier.send(WATCHDOG="1")
            notifier.close()


class Slow(Service):
    """
    A service that takes its time, to start and to stop.
    """

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.ready: Deferred[None] = Deferred()
        self.stopping: Deferred[None] = Deferred()
        self.status = "0 tunnels"

    def privilegedStartService(self) -> None:
        """
        Remember.
        """
        self.calls.append("privileged")

    def startService(self) -> None:
        """
        Remember.
        """
        self.calls.append("start")

    def stopService(self) -> Deferred[None]:
        """
        Wait for the test.
        """
        self.calls.append("stop")
        return self.stopping


class SupervisedTests(SynchronousTestCase):
    """
    A service that is watched.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.service = Slow()
        self.notifier = FakeNotifier()

    def supervised(self, watchdog: float = 0.0) -> Supervised:
        """
        Have the service watched.
        """
        notifier: Notifies = self.notifier
        status: Callable[[], str] = lambda: self.service.status  # noqa: E731
        return Supervised(
            self.service,
            notifier,
            clock=self.clock,
            status=status,
            when_ready=lambda: self.service.ready,
            watchdog=watchdog,
        )

    def test_life(self) -> None:
        """
        Ready when the service is and the reactor runs; stopping before it is told to; silence after the end.
        """
        watched = self.supervised()
        watched.privilegedStartService()
        watched.startService()
        self.assertEqual(self.service.calls, ["privileged", "start"])
        self.service.ready.callback(None)
        self.assertEqual(self.notifier.take(), [])
        self.clock.advance(0)
        self.assertIn({"READY": "1", "STATUS": "0 tunnels"}, self.notifier.take())
        self.clock.advance(STATUS_INTERVAL * 3)
        self.assertEqual(self.notifier.take(), [])
        self.service.status = "1 tunnel"
        self.clock.advance(STATUS_INTERVAL)
        self.assertEqual(self.notifier.take(), [{"STATUS": "1 tunnel"}])

        self.service.status = "draining: 2 requests left"
        stopped = watched.stopService()
        self.assertEqual(self.notifier.take(), [{"STOPPING": "1"}, {"STATUS": "draining: 2 requests left"}])
        self.service.status = "draining: 1 request left"
        self.clock.advance(STOPPING_INTERVAL)
        self.assertEqual(self.notifier.take(), [{"STATUS": "draining: 1 request left"}])
        self.assertNoResult(stopped)
        self.service.stopping.callback(None)
        self.successResultOf(stopped)
        self.assertTrue(self.notifier.closed)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_watchdog(self) -> None:
        """
        A sign of life twice in each interval, from the start to the very end.
        """
        watched = self.supervised(watchdog=4.0)
        watched.startService()
        self.clock.advance(0)
        self.notifier.take()
        for _ in range(3):
            self.clock.advance(2)
            self.assertIn({"WATCHDOG": "1"}, self.notifier.take())
        self.service.ready.callback(None)
        stopped = watched.stopService()
        self.notifier.take()
        self.clock.pump([0.5] * 4)
        self.assertIn({"WATCHDOG": "1"}, self.notifier.take())
        self.service.stopping.callback(None)
        self.successResultOf(stopped)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_stopped_before_ready(self) -> None:
        """
        A service that is stopped while it starts never says that it is ready; not even before the reactor ran.
        """
        watched = self.supervised()
        watched.startService()
        stopped = watched.stopService()
        self.clock.advance(0)
        self.service.ready.callback(None)
        self.service.stopping.callback(None)
        self.successResultOf(stopped)
        self.assertEqual(self.notifier.take(), [{"STOPPING": "1"}])

    def test_stopping_fails(self) -> None:
        """
        A failure is the caller's to hear of.
        """
        watched = self.supervised()
        self.service.ready = succeed(None)
        watched.startService()
        self.clock.advance(0)
        stopped = watched.stopService()
        self.service.stopping.errback(ListenError("no"))
        self.failureResultOf(stopped, ListenError)
        self.assertTrue(self.notifier.closed)


def _close(number: int) -> None:
    try:
        os.close(number)
    except OSError:
        pass
