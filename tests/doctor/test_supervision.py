"""
Tests for :mod:`pico.doctor.supervision`.
"""

from __future__ import annotations

import os
import socket

from twisted.trial.unittest import SynchronousTestCase

from pico.doctor.finding import Level
from pico.doctor.supervision import look_at_supervisor

OK, WARN, FAIL = Level.OK, Level.WARN, Level.FAIL


class SupervisorTests(SynchronousTestCase):
    """
    Whoever wants to hear of this process.
    """

    def test_supervisor(self) -> None:
        """
        Nothing is said about a supervisor that is not there; one that does not listen is a failure.
        """
        self.assertEqual(look_at_supervisor({}), [])
        path = os.path.join(self.mktemp(), "notify")
        (finding,) = look_at_supervisor({"NOTIFY_SOCKET": path})
        self.assertEqual((finding.level, finding.subject), (FAIL, "supervisor"))
        self.assertIn(path, finding.text)
        os.mkdir(os.path.dirname(path))
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
            receiver.bind(path)
            (finding,) = look_at_supervisor({"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "30000000"})
            receiver.setblocking(False)
            self.assertRaises(BlockingIOError, receiver.recv, 100)
        self.assertEqual(
            (finding.level, finding.text), (OK, f"takes notifications at {path}, a sign of life every 30s")
        )
