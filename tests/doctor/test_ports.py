"""
Tests for :mod:`pico.doctor.ports`.
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable
from contextlib import ExitStack
from typing import TypeVar

from twisted.trial.unittest import SynchronousTestCase

from pico.config.addresses import Address
from pico.doctor.finding import Level
from pico.doctor.holders import Holder
from pico.doctor.ports import Port, arrives, judge_bind

OK, WARN, FAIL = Level.OK, Level.WARN, Level.FAIL

T = TypeVar("T")


def returning(value: T) -> Callable[[], T]:
    """
    Make a function that returns this.
    """
    return lambda: value


class PortTests(SynchronousTestCase):
    """
    A port that cannot be bound.
    """

    def test_table(self) -> None:
        """
        Each reason is told with its own advice.
        """
        nothing = returning("")
        nginx, systemd = Holder(12, "nginx"), Holder(1, "systemd")
        same = Port("admin", Address("", 80))
        for number, running, holder, other, level, text, advice in (
            (errno.EADDRINUSE, nothing, nginx, None, FAIL, ":80 is in use by nginx (pid 12)", "stop that"),
            (errno.EADDRINUSE, nothing, None, None, FAIL, ":80 is in use", "ss -ltnp"),
            (errno.EADDRINUSE, nothing, systemd, None, WARN, ":80 is held by systemd (pid 1)", "list-sockets"),
            (errno.EADDRINUSE, returning("n1"), nginx, None, WARN, ":80 is held by a node that runs here, n1", "stop"),
            (errno.EADDRINUSE, nothing, nginx, same, FAIL, ":80 is also that of admin.bind_addr", "proxy.bind_addr"),
            (errno.EACCES, nothing, None, None, FAIL, ":80 may not be bound by this user", "CAP_NET_BIND_SERVICE"),
            (errno.EADDRNOTAVAIL, nothing, None, None, FAIL, "no address of this machine", "proxy.bind_addr"),
            (errno.ENOBUFS, nothing, None, None, FAIL, ":80 cannot be bound: no buffer space", "proxy.bind_addr"),
        ):
            error = OSError(number, os.strerror(number))
            finding = judge_bind(Port("proxy", Address("", 80)), error, running, returning(holder), other)
            self.assertEqual((finding.level, finding.subject), (level, "proxy port"), finding)
            self.assertIn(text, finding.text)
            self.assertIn(advice, finding.advice, finding)

    def test_name(self) -> None:
        """
        A name that has no address is told.
        """
        error = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        finding = judge_bind(Port("proxy", Address("nowhere", 80)), error, returning(""), returning(None))
        self.assertEqual(finding.text, "nowhere is no name of this machine: name or service not known")

    def test_arrival(self) -> None:
        """
        Whoever dials in the meantime is not taken for the one that was sent.
        """
        os.mkdir(folder := self.mktemp())
        with socket.socket(socket.AF_UNIX) as listening, ExitStack() as stack:
            listening.bind(path := os.path.join(folder, "port"))
            listening.listen()
            for sent in (b"other", b"nonce", b"other"):
                client = stack.enter_context(socket.socket(socket.AF_UNIX))
                client.connect(path)
                client.sendall(sent)
            self.assertTrue(arrives(listening, b"nonce", 60.0))
            self.assertFalse(arrives(listening, b"nonce", 0.001))
