"""
What a proxy port needs beside what its tests are about.
"""

from __future__ import annotations

from twisted.internet.interfaces import IReactorTime

from pico.interfaces import ISelector
from pico.metrics import Metrics
from pico.net.deadlines import Deadlines
from pico.net.turn import Turn
from pico.proxy.record import Recorder
from pico.proxy.waiting import WaitingRoom, WaitingSettings


def make_room(selector: ISelector, clock: IReactorTime, deadlines: Deadlines) -> WaitingRoom:
    """
    Make a waiting room in which nobody waits.
    """
    return WaitingRoom(
        selector=selector,
        is_served=lambda _: False,
        has_tunnel=lambda _: False,
        settings=WaitingSettings(wait=0),
        clock=clock,
        deadlines=deadlines,
        turn=Turn(clock),
        recorder=Recorder(Metrics()),
    )
