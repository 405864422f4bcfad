"""
A group of gossiping members in memory: many cores, one network, one time, and nothing else.

A run of some simulated minutes takes seconds, and the same seed always gives the same run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from heapq import heappop, heappush
from math import inf
from random import Random

from pico.gossip.events import Changed, Event
from pico.gossip.ledger import live
from pico.gossip.limits import DEFAULT_LIMITS, DEFAULT_TIMING, Limits, Timing
from pico.gossip.member import Member
from pico.gossip.peer import Status
from pico.gossip.seal import Keys
from pico.testing.datagrams import Address, DatagramNetwork, DatagramSocket

#: The port of every member.
PORT = 8003


class MemoryMember:
    """
    A member of a :class:`MemoryGroup`.

    :ivar core: the member itself.
    :ivar events: what it has reported, with the time; without :class:`~pico.gossip.events.Changed`.
    :ivar watch: is shown every event.
    :ivar socket: its place in the network.
    """

    def __init__(self, group: MemoryGroup, core: Member) -> None:
        self.core = core
        self.events: list[tuple[float, Event]] = []
        self.watch: Callable[[Event], object] | None = None
        self._group = group
        self._alive = True
        self._stopped = False
        #: What has arrived while it was stopped.
        self._waiting: list[tuple[bytes, Address]] = []
        self.socket: DatagramSocket = group.network.open(core.me.life.address, self._receive)

    @property
    def id(self) -> str:
        """
        Its name.
        """
        return self.core.me.id

    @property
    def host(self) -> str:
        """
        Its host, for :meth:`~pico.testing.datagrams.DatagramNetwork.partition`.
        """
        return self.socket.address[0]

    @property
    def address(self) -> Address:
        """
        Where it takes datagrams.
        """
        return self.socket.address

    def put(self, key: str, value: str) -> None:
        """
        Publish a key.
        """
        self.core.put(key.encode(), value.encode(), self._group.now)
        self._flush()

    def delete(self, key: str) -> None:
        """
        Take a key back.
        """
        self.core.delete(key.encode(), self._group.now)
        self._flush()

    def leave(self) -> None:
        """
        Say goodbye.
        """
        self.core.leave(self._group.now)
        self._flush()

    def kill(self) -> None:
        """
        End without a word.
        """
        self._alive = False
        self.socket.close()

    def stop(self) -> None:
        """
        Do nothing for a while, as a process that was stopped.
        """
        self._stopped = True

    def go_on(self) -> None:
        """
        Go on after :meth:`stop`: first comes what is due, then what has arrived meanwhile.
        """
        self._stopped = False
        self.fire()
        waiting, self._waiting = self._waiting, []
        for data, address in waiting:
            self._receive(data, address)

    def status(self, of: MemoryMember | str) -> Status | None:
        """
        What this one holds of another one; nothing if it does not know it.
        """
        peer = self.core.roster.find(of if isinstance(of, str) else of.id)
        return None if peer is None else peer.status

    def view(self, of: MemoryMember | str) -> dict[str, str]:
        """
        The keys of another one, as far as this one knows them.
        """
        peer = self.core.roster.find(of if isinstance(of, str) else of.id)
        if peer is None:
            return {}
        return {key.decode(): value.decode() for key, value in live(peer.ledger) if key[:1] != b"\0"}

    def kinds(self) -> list[str]:
        """
        The names of all events, each with the id that it is about.
        """
        return [f"{type(event).__name__} {getattr(getattr(event, 'peer', None), 'id', '')}" for _, event in self.events]

    def fire(self) -> None:
        """
        Do what is due.
        """
        if self._alive and not self._stopped:
            self._take(self.core.handle_timer(self._group.now))

    def _receive(self, data: bytes, source: Address) -> None:
        if self._stopped:
            self._waiting.append((data, source))
        else:
            self._take(self.core.receive_datagram(data, source, self._group.now))

    def _take(self, events: Iterable[Event]) -> None:
        for event in events:
            if self.watch is not None:
                self.watch(event)
            if not isinstance(event, Changed):
                self.events.append((self._group.now, event))
        self._flush()

    def _flush(self) -> None:
        for data, address in self.core.datagrams_to_send():
            self.socket.send(data, address)
        deadline = self.core.next_deadline()
        if deadline is not None and self._alive:
            self._group.wake(self, deadline)


class MemoryGroup:
    """
    Members on one network.

    :ivar network: what carries their datagrams.
    :ivar members: those that were started last under each id, dead ones among them.
    """

    def __init__(
        self,
        *,
        seed: int = 0,
        secrets: Sequence[bytes] = (b"the secret of this group",),
        limits: Limits = DEFAULT_LIMITS,
        timing: Timing = DEFAULT_TIMING,
        loss: float = 0.0,
    ) -> None:
        self.network = DatagramNetwork(random=Random(seed), loss=loss)
        self.members: dict[str, MemoryMember] = {}
        self._secrets = secrets
        self._limits = limits
        self._timing = timing
        self._seed = seed
        self._lives = 0
        self._timers: list[tuple[float, int, MemoryMember]] = []
        self._woken: dict[MemoryMember, float] = {}
        self._count = 0

    @property
    def now(self) -> float:
        """
        Seconds since the beginning.
        """
        return self.network.now

    def start(
        self,
        id: str,  # noqa: A002 - what else should it be called
        *,
        seeds: Iterable[MemoryMember | Address] = (),
        generation: int | None = None,
        secrets: Sequence[bytes] | None = None,
        host: str | None = None,
    ) -> MemoryMember:
        """
        Start a member.

        :param generation: by default higher than that of all before.
        :param secrets: by default those of the group.
        :param host: by default a new one, or for an id that there was, its former one.
        """
        self._lives += 1
        former = self.members.get(id)
        if host is None:
            number = len(self.members)
            host = former.host if former is not None else f"10.0.{number // 250}.{number % 250 + 1}"
        core = Member(
            id=id,
            generation=self._lives if generation is None else generation,
            address=(host, PORT),
            keys=Keys(self._secrets if secrets is None else secrets),
            random=Random(f"{self._seed} {self._lives}"),
            now=self.now,
            limits=self._limits,
            timing=self._timing,
        )
        member = self.members[id] = MemoryMember(self, core)
        core.join([each.address if isinstance(each, MemoryMember) else each for each in seeds], self.now)
        member.fire()
        self.wake(member, self.now)
        return member

    def start_many(self, count: int, *, warm_up: float = 3.0) -> list[MemoryMember]:
        """
        Start members ``m0``, ``m1`` and so on, each with the first one as its seed, and let them meet.
        """
        first = self.start("m0")
        members = [first, *(self.start(f"m{number}", seeds=[first]) for number in range(1, count))]
        self.advance(warm_up)
        return members

    def advance(self, seconds: float) -> None:
        """
        Let time pass.
        """
        self.run(self.now + seconds, lambda: False)

    def until(self, condition: Callable[[], bool], within: float, step: float = 0.05) -> float:
        """
        Let time pass until something is so.

        :param step: how often to look.
        :return: the seconds that it took.
        :raises AssertionError: it is not so in time.
        """
        began = self.now
        while not condition():
            assert self.now - began < within, f"not within {within} s"
            self.advance(step)
        return self.now - began

    def run(self, end: float, enough: Callable[[], bool]) -> None:
        """
        Let time pass until ``end``, or until ``enough`` says so, which is asked after each step.
        """
        network = self.network
        timers = self._timers
        while not enough():
            due = min(network.next_due(), timers[0][0] if timers else inf)
            if due > end:
                break
            network.now = max(network.now, due)
            network.deliver(due)
            while timers and timers[0][0] <= network.now:
                when, _, member = heappop(timers)
                if self._woken.get(member) == when:
                    del self._woken[member]
                    member.fire()
        else:
            return
        network.now = max(network.now, end)

    def wake(self, member: MemoryMember, when: float) -> None:
        """
        See to it that a member does what is due at a moment.
        """
        before = self._woken.get(member)
        if before is None or when < before:
            self._woken[member] = when
            self._count += 1
            heappush(self._timers, (when, self._count, member))
