"""
When to ask a silent peer for a sign of life, and when to give it up.
"""

from __future__ import annotations

import enum


class Action(enum.Enum):
    """
    What is due.
    """

    NONE = "nothing"
    PING = "send a ping"
    DEAD = "the peer is gone"


class KeepAlive:
    """
    Watch a peer: after ``interval`` seconds of silence a ping, after ``timeout`` more without a byte it is
    dead.

    Any byte is a sign of life. :meth:`received` only notes the time, so it may be called for each read; the
    caller keeps one timer, for :meth:`next_deadline`, and asks again when it fires.

    A timer that fires far too late tells of this program, not of the peer: it was stopped, or the machine
    slept, and what the peer sent meanwhile has not been read yet. The peer is then asked once more.
    """

    __slots__ = ("_asked", "_heard", "_interval", "_timeout")

    def __init__(self, interval: float = 30.0, timeout: float = 10.0) -> None:
        """
        :param interval: seconds; 0 watches nothing.
        :param timeout: seconds.
        """
        self._interval = interval
        self._timeout = timeout
        self._heard = 0.0
        #: When the ping was sent that is not answered yet.
        self._asked: float | None = None

    @property
    def ping_sent(self) -> bool:
        """
        Whether the peer was asked and nothing has come since.
        """
        return self._asked is not None

    def start(self, now: float) -> None:
        """
        Begin to watch.
        """
        self.received(now)

    def received(self, now: float) -> None:
        """
        Something has come from the peer.
        """
        self._heard = now
        self._asked = None

    def ask(self, now: float) -> Action:
        """
        Ask the peer before its silence gives a reason to, and also when nothing is watched.

        :return: nothing is due when it was asked already and has not answered: it gets no more time by this.
        """
        if self._asked is not None:
            return Action.NONE
        self._asked = now
        return Action.PING

    def next_deadline(self) -> float | None:
        """
        When :meth:`handle_timer` has something to do; nothing when nothing is watched.
        """
        if self._asked is not None:
            return self._asked + self._timeout
        if self._interval <= 0:
            return None
        return self._heard + self._interval

    def handle_timer(self, now: float) -> Action:
        """
        Say what is due; early calls are harmless.
        """
        deadline = self.next_deadline()
        if deadline is None or now < deadline:
            return Action.NONE
        if self._asked is not None and now < deadline + self._timeout:
            return Action.DEAD
        self._asked = now
        return Action.PING
