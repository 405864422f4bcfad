"""
Agents, as many as are wanted, each with one tunnel.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.interfaces import IReactorTime

from pico.bench.faults import BenchError
from pico.bench.load.plan import Upstreams
from pico.bench.load.tally import Tally
from pico.client.dialer import Tunnel
from pico.client.listener import Listener
from pico.client.slot import Dials
from pico.tunnel.stream import TunnelStream

#: Tunnels that are dialled at a time: more than a listening port queues would wait for the kernel's retries.
AT_ONCE = 64


class UpstreamLoad:
    """
    Open tunnels and keep them open.

    :ivar tally: of the tunnels that were opened: how long each took from its first try, and what tries failed of.
    :ivar lost: tunnels that ended by themselves afterwards; each is dialled again.
    """

    def __init__(
        self,
        plan: Upstreams,
        *,
        dialer: Dials,
        clock: IReactorTime,
        chooser: random.Random,
        on_stream: Callable[[TunnelStream], None],
    ) -> None:
        self._plan = plan
        self._dialer = dialer
        self._clock = clock
        self._chooser = chooser
        self._on_stream = on_stream
        self._started = 0
        self._agents: list[_Agent] = []
        self._opened: Deferred[None] = Deferred()
        self.tally = Tally()
        self.lost = 0

    @property
    def connected(self) -> int:
        """
        Tunnels that stand now.
        """
        return sum(agent.listener.connected for agent in self._agents)

    def open(self) -> Deferred[None]:
        """
        Begin.

        :return: fires when each tunnel has stood once.
        """
        self.tally.began = self.tally.ended = self._clock.seconds()
        if not self._plan.count:
            self._opened.callback(None)
        for _ in range(min(AT_ONCE, self._plan.count)):
            self._start_next()
        return self._opened

    def close(self, grace: float) -> Deferred[object]:
        """
        Let all go.

        :param grace: seconds for what they carry.
        """
        stopping: list[Deferred[None]] = [agent.listener.stop(grace) for agent in self._agents]
        return gatherResults(stopping, consumeErrors=True).addCallback(lambda _: None)

    def stands(self, agent: _Agent) -> None:
        """
        A tunnel stands for the first time.
        """
        now = self._clock.seconds()
        self.tally.times.record(now - agent.since)
        self.tally.ended = now
        if self.tally.succeeded == self._plan.count and not self._opened.called:
            self._opened.callback(None)
        self._start_next()

    def refused(self, reason: str) -> None:
        """
        The node refuses for good; if it has accepted none, it will not accept others either.
        """
        self.tally.fail(f"refused: {reason}")
        if not self.tally.succeeded and not self._opened.called:
            self._opened.errback(BenchError(f"the node refuses tunnels: {reason}"))

    def _start_next(self) -> None:
        number = self._started
        if number < self._plan.count:
            self._started += 1
            agent = _Agent(self, self._clock.seconds())
            agent.listener = Listener(
                self._plan.endpoint(number),
                dialer=self._dialer,
                clock=self._clock,
                on_stream=self._on_stream,
                watcher=agent,
                chooser=self._chooser,
            )
            self._agents.append(agent)
            agent.listener.start()


class _Agent:
    """
    One agent, told what becomes of its tunnel.

    :ivar since: when it began to dial.
    """

    listener: Listener

    def __init__(self, load: UpstreamLoad, since: float) -> None:
        self._load = load
        self._stood = False
        self.since = since

    def connected(self, endpoint: str, tunnel: Tunnel) -> None:
        """
        The tunnel stands.
        """
        if not self._stood:
            self._stood = True
            self._load.stands(self)

    def refused(self, endpoint: str, reason: str) -> None:
        """
        The node refuses for good.
        """
        self._load.refused(reason)

    def lost(self, endpoint: str, reason: str, retry_in: float) -> None:
        """
        The tunnel ended, or could not be had this time.
        """
        if self._stood:
            self._load.lost += 1
        else:
            self._load.tally.fail(reason)
