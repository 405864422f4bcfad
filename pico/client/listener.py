"""
The tunnels of one endpoint, kept up for as long as their owner wants them, at different nodes where there are several.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection
from typing import Protocol

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.interfaces import IReactorTime

from pico.client.dialer import Tunnel
from pico.client.slot import Dials, Slot
from pico.tunnel.stream import TunnelStream
from pico.wire.dialling import Backoff, Patience


class Watcher(Protocol):
    """
    Who wants to know how the endpoint is doing. Nothing of what it is told needs an answer.
    """

    def connected(self, endpoint: str, tunnel: Tunnel) -> None:
        """
        A tunnel stands.
        """

    def refused(self, endpoint: str, reason: str) -> None:
        """
        The node refuses, and will go on to. Told once for each reason until it accepts; it is asked again
        slowly.
        """

    def lost(self, endpoint: str, reason: str, retry_in: float) -> None:
        """
        A tunnel ended, or could not be had. It is dialled in so many seconds; others may serve meanwhile.
        """


class _Told:
    """
    What the slots of a listener tell, for its watcher.
    """

    def __init__(self, endpoint: str, watcher: Watcher, on_connected: Callable[[], None]) -> None:
        self._endpoint = endpoint
        self._watcher = watcher
        self._on_connected = on_connected
        #: The final refusal that was told last.
        self._refusal = ""

    def connected(self, tunnel: Tunnel) -> None:
        """
        One of them has a tunnel.
        """
        self._refusal = ""
        try:
            self._watcher.connected(self._endpoint, tunnel)
        finally:
            self._on_connected()

    def refused(self, reason: str) -> None:
        """
        One of them was refused; the same is not told again.
        """
        if self._refusal != reason:
            self._refusal = reason
            self._watcher.refused(self._endpoint, reason)

    def lost(self, reason: str, retry_in: float) -> None:
        """
        One of them has no tunnel.
        """
        self._watcher.lost(self._endpoint, reason, retry_in)


class Listener:
    """
    Serve one endpoint: dial, serve, dial again, until stopped.

    A tunnel that ends, however it ends, is dialled again, for ever; :class:`pico.wire.dialling.Patience`
    says when. Of several tunnels each is to stand at another node; while two stand at the same, which is better than
    one, another node is looked for now and then (:class:`pico.wire.spreading.Spreading`).
    """

    def __init__(
        self,
        endpoint: str,
        *,
        dialer: Dials,
        clock: IReactorTime,
        on_stream: Callable[[TunnelStream], None],
        watcher: Watcher,
        chooser: random.Random,
        connections: int = 1,
        patience: Callable[[], Patience] = lambda: Patience(Backoff()),
    ) -> None:
        """
        :param on_stream: gets every stream that the nodes open, and attaches a protocol to it.
        :param chooser: spreads waits.
        :param connections: how many tunnels to keep.
        :param patience: makes that of each tunnel.
        """
        if connections < 1:
            raise ValueError(f"connections must be at least 1, not {connections}")
        self._endpoint = endpoint
        told = _Told(endpoint, watcher, self._start_others)
        self._running = False
        self._slots = [
            Slot(
                endpoint,
                dialer=dialer,
                clock=clock,
                on_stream=on_stream,
                watcher=told,
                chooser=chooser,
                patience=patience(),
                others=self._others(number),
            )
            for number in range(connections)
        ]

    @property
    def endpoint(self) -> str:
        """
        What it serves.
        """
        return self._endpoint

    @property
    def connections(self) -> int:
        """
        How many tunnels it is to keep.
        """
        return len(self._slots)

    @property
    def tunnels(self) -> list[Tunnel]:
        """
        The tunnels that serve.
        """
        return [slot.tunnel for slot in self._slots if slot.tunnel is not None]

    @property
    def connected(self) -> bool:
        """
        Whether there is a tunnel that serves.
        """
        return any(slot.tunnel is not None for slot in self._slots)

    def start(self) -> None:
        """
        Begin to dial, the first time at once.

        The first tunnel comes first, the others when it stands: what keeps it from standing need not be told of each.
        """
        self._running = True
        self._slots[0].start()

    def stop(self, grace: float) -> Deferred[None]:
        """
        Say go-away, serve the streams that are there to their end, then close.

        May be called again to give less time.

        :param grace: seconds after which what is left is cut.
        :return: fires when no tunnel is left.
        """
        self._running = False
        return gatherResults([slot.stop(grace) for slot in self._slots]).addCallback(lambda _: None)

    def _start_others(self) -> None:
        if self._running:
            for slot in self._slots[1:]:
                slot.start()

    def _others(self, number: int) -> Callable[[], Collection[str]]:
        """
        Where the tunnels of all slots but one lead to.
        """

        def nodes() -> Collection[str]:
            return {
                slot.tunnel.node
                for index, slot in enumerate(self._slots)
                if index != number and slot.tunnel is not None
            }

        return nodes
