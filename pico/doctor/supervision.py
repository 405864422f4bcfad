"""
Does whoever started this process hear what it says?
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from contextlib import closing

from pico.doctor.finding import Finding, fail, ok
from pico.net.systemd import parse_supervision

_SUBJECT = "supervisor"


def look_at_supervisor(environment: Mapping[str, str]) -> list[Finding]:
    """
    See whether notifications would arrive; nothing is sent, and nothing is found when nobody wants any.
    """
    supervision = parse_supervision(environment, os.getpid())
    if not supervision.address:
        return []
    address = supervision.address
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as probe:
        try:
            probe.connect("\0" + address[1:] if address.startswith("@") else address)
        except OSError as error:
            return [
                fail(
                    _SUBJECT,
                    f"NOTIFY_SOCKET={address} takes no notifications: {error.strerror}",
                    "start it by systemd (Type=notify), or without that variable",
                )
            ]
    watched = f", a sign of life every {supervision.watchdog:g}s" if supervision.watchdog else ""
    return [ok(_SUBJECT, f"takes notifications at {address}{watched}")]
