"""
Who is asked whether he lives, and when he is held for dead.

After SWIM (Das, Gupta, Motivala 2002) with what Lifeguard (Dadgar, Phillips, Currey 2017) adds:

- Every interval one peer is pinged, each in turn, in an order that is shuffled every round. As every member does so,
  every member is asked about once an interval, however many there are.
- Who does not answer is pinged again, by us and by some others for us. If no answer comes on any way, he is suspected.
- Who is suspected hears of it and refutes it, by a higher incarnation. If that does not come in time he is dead. The
  more others share the suspicion, the less time there is.
- If those whom we ask to ping for us are silent as well, it is our own network that is ill: our probes get more time.
- If a timer fires far too late, this program was stopped. What is running then is not counted against anybody.
"""

from __future__ import annotations

import enum
from collections.abc import Collection, Iterator
from math import inf, log
from random import Random

import attrs

from pico.gossip.limits import Timing


class Step(enum.Enum):
    """
    What a probe needs.
    """

    #: To be sent again, on all ways.
    INSIST = "insist"
    #: Nothing more: there was no answer.
    FAILED = "failed"


@attrs.define(eq=False)
class Probe:
    """
    A ping that waits for its answer.

    :ivar number: that the answer will have.
    :ivar asked: relays that were asked for help.
    :ivar nacks: of them, who have said at least that there was no answer.
    """

    number: int
    token: bytes
    started: float
    insist: float | None
    end: float
    asked: int = 0
    nacks: int = 0


class Probes:
    """
    The probes that are under way, and whose turn it is next.

    :ivar health: how ill our own network seems, from 0.
    """

    def __init__(self, timing: Timing, random: Random) -> None:
        self._timing = timing
        self._random = random
        self._running: dict[int, Probe] = {}
        self._round: list[bytes] = []
        self.health = 0

    def add(self, token: bytes) -> None:
        """
        Somebody new takes part, at a random place of this round.
        """
        self._round.insert(self._random.randint(0, len(self._round)), token)

    def next_target(self, candidates: Collection[bytes]) -> bytes | None:
        """
        Whose turn it is.

        :param candidates: who may be asked now. Those who are not among them any more lose their turn.
        """
        while True:
            while self._round:
                token = self._round.pop()
                if token in candidates:
                    return token
            if not candidates:
                return None
            self._round = list(candidates)
            self._random.shuffle(self._round)

    def start(self, number: int, token: bytes, now: float) -> Probe:
        """
        A ping was sent.
        """
        timing = self._timing
        scale = 1 + self.health
        probe = Probe(number, token, now, now + timing.ack * scale, now + timing.probe * scale)
        self._running[number] = probe
        return probe

    def answered(self, number: int) -> Probe | None:
        """
        An answer has come, on whatever way.

        :return: the probe, if it was still waiting.
        """
        probe = self._running.pop(number, None)
        if probe is not None and self.health:
            self.health -= 1
        return probe

    def asked(self, number: int) -> None:
        """
        Somebody was asked to ping for us.
        """
        probe = self._running.get(number)
        if probe is not None:
            probe.asked += 1

    def nacked(self, number: int) -> None:
        """
        A relay has had no answer either.
        """
        probe = self._running.get(number)
        if probe is not None:
            probe.nacks += 1

    def of(self, token: bytes) -> list[Probe]:
        """
        The running probes of one peer.
        """
        return [probe for probe in self._running.values() if probe.token == token]

    def due(self, now: float) -> list[tuple[Probe, Step]]:
        """
        What has to be done now.
        """
        found = []
        for probe in list(self._running.values()):
            if probe.end <= now:
                del self._running[probe.number]
                # Nobody at all was heard: neither the target nor who tried to reach it for us.
                if probe.asked and not probe.nacks and self.health < self._timing.max_health:
                    self.health += 1
                found.append((probe, Step.FAILED))
            elif probe.insist is not None and probe.insist <= now:
                probe.insist = None
                found.append((probe, Step.INSIST))
        return found

    def next_deadline(self) -> float:
        """
        When :meth:`due` has something to say; infinity when nothing is under way.
        """
        running = self._running.values()
        return min([probe.end if probe.insist is None else probe.insist for probe in running], default=inf)

    def excuse(self) -> None:
        """
        Give up all probes; nobody is to blame.
        """
        self._running.clear()


def suspicion_time(timing: Timing, accusers: int, possible: int) -> float:
    """
    How long a suspicion lasts.

    :param accusers: who share it.
    :param possible: who could.
    """
    needed = min(timing.confirmations, possible - 1)
    least, most = timing.suspicion_least, timing.suspicion_most
    if needed <= 0:
        return least
    share = log(max(accusers, 1)) / log(needed + 1)
    return max(least, most - (most - least) * share)


@attrs.define(eq=False)
class Suspicion:
    """
    A peer that may be dead.

    :ivar started: when that was first heard; in the future of nobody, and moved on when this program was stopped.
    :ivar ping: when it is pinged next.
    :ivar pause: seconds between two such pings.
    """

    token: bytes
    started: float
    ping: float
    pause: float


class Suspicions:
    """
    The suspicions that are neither refuted nor certain.
    """

    def __init__(self, timing: Timing) -> None:
        self._timing = timing
        self._running: dict[bytes, Suspicion] = {}

    def __contains__(self, token: object) -> bool:
        """
        Whether a peer is suspected.
        """
        return token in self._running

    def __iter__(self) -> Iterator[Suspicion]:
        """
        All of them.
        """
        return iter(list(self._running.values()))

    def start(self, token: bytes, now: float, *, ours: bool) -> None:
        """
        Suspect a peer.

        :param ours: whether it is our own probe that failed: then we ping it at once and often. Else others do that,
            and we begin when it takes long.
        """
        grain = self._timing.interval
        if ours:
            self._running[token] = Suspicion(token, now, now, grain)
        else:
            self._running[token] = Suspicion(token, now, now + 4 * grain, 2 * grain)

    def drop(self, token: bytes) -> None:
        """
        The suspicion is refuted, or certain, or its peer is gone.
        """
        self._running.pop(token, None)

    def move(self, seconds: float) -> None:
        """
        Give everybody as much time again as this program was stopped.
        """
        for suspicion in self._running.values():
            suspicion.started += seconds

    def __len__(self) -> int:
        """
        How many there are.
        """
        return len(self._running)
