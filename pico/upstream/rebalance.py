"""
How many tunnels this node asks to go elsewhere, so that all nodes come to have about the same number.

Pure: once a second the numbers of tunnels go in, and how many to ask comes out.

- **Nothing is asked at a node that has its share.** Only the tunnels above the whole part of it are ever asked to go.
- **Who begins.** A node with more than its share begins when it has ``threshold`` too many, or when the emptiest node
  has ``threshold`` too few: when one of many nodes comes back empty, each of the others is hardly above its share.
- **No swinging.** It goes on until both are at half the threshold. Those that were asked do not count as being here any
  more, but will be somewhere, so nobody is asked twice for the same gap. The numbers of others are some tenths of a
  second old, which the pace makes harmless.
- **The pace** is ``shed_rate`` of a share a second. A fraction is kept for the next second.
- **Not in vain.** Who is asked dials wherever a load balancer leads, which may be here again, and a node may refuse
  everybody. When neither what is too much here nor what is missing at the emptiest node has become less by a part of
  what pure chance would have brought there, it rests for a while, longer each time, or until nodes come or go.
"""

from __future__ import annotations

import enum
from collections.abc import Collection, Mapping, Set
from math import floor, inf

import attrs

from pico.names import NodeId

#: Seconds between two looks.
LOOK = 1.0

#: An effort is judged when so many tunnels would be at the emptiest node if each had gone anywhere by chance ...
_EXPECTED = 10.0
#: ... or when so many were asked, and this part of all that are here ...
_ASKED = 20
_PART = 0.25
#: ... and was in vain if less than this part of them, and fewer than so many, did, ...
_SUCCESS = 0.25
_LEAST_SUCCESS = 2.0
#: ... after so many seconds.
_JUDGED_AFTER = 15.0

#: Seconds of rest after an effort in vain: the first time, and at the most.
REST = 300.0
MAX_REST = 3600.0


@attrs.frozen
class RebalanceSettings:
    """
    When tunnels move, and how quickly.

    :ivar threshold: how far from its share a node may be, as a part of it; 0 moves nothing, ever.
    :ivar shed_rate: the part of a share that one node asks to go in a second.
    :ivar min_conns: a node with fewer tunnels asks nobody.
    """

    threshold: float = 0.0
    shed_rate: float = 0.03
    min_conns: int = 50


class News(enum.Enum):
    """
    What people should know.
    """

    BEGAN = "the first tunnels are asked to go"
    IN_VAIN = "nothing came of it; no more are asked for a while"


@attrs.frozen
class Advice:
    """
    What to do this second.

    :ivar shed: how many tunnels to ask.
    :ivar share: how many each node would have.
    :ivar rest: with :attr:`News.IN_VAIN`, for how many seconds.
    """

    shed: int = 0
    share: float = 0.0
    news: News | None = None
    rest: float = 0.0


class _State(enum.Enum):
    STILL = "even enough"
    MOVING = "tunnels above the share are asked to go"
    RESTING = "it was in vain"


@attrs.define
class _Effort:
    """
    What was asked since ``since``, when ``gap`` tunnels were too many here, or missing at the emptiest node.

    :ivar expected: how many of them chance would have led to that node.
    """

    since: float
    gap: float
    asked: int = 0
    expected: float = 0.0


class Rebalance:
    """
    The decisions of one node.
    """

    __slots__ = ("_began", "_credit", "_effort", "_last", "_members", "_rest", "_rests_until", "_settings", "_state")

    def __init__(self, settings: RebalanceSettings) -> None:
        self._settings = settings
        self._state = _State.STILL
        #: What may be asked beyond the whole tunnels that were: a fraction, or what the last second left.
        self._credit = 0.0
        self._last = -inf
        #: Whether somebody was asked since it began to move.
        self._began = False
        self._effort: _Effort | None = None
        self._members: Set[NodeId] = frozenset()
        self._rest = REST
        self._rests_until = 0.0

    def look(self, here: int, moving: int, movable: int, others: Mapping[NodeId, int], now: float) -> Advice:
        """
        Say what to do. To be called every :data:`LOOK` seconds.

        :param here: tunnels of this node, without those that were asked to go and are expected to.
        :param moving: those, and others that have gone so recently that nobody may know yet where they are.
        :param movable: how many of those that are here can be asked.
        :param others: those of the other nodes that take tunnels.
        """
        passed, self._last = min(LOOK, now - self._last), now
        self._meet(others.keys())
        counts = (here, *others.values())
        share = (sum(counts) + moving) / len(counts)
        if self._state is _State.RESTING and now >= self._rests_until:
            self._be_still()
        if self._state is _State.RESTING or not self._unbalanced(here, counts, share):
            return Advice(share=share)
        # Whoever was asked may still come back.
        gap = max(here + moving - share, share - min(counts))
        if self._effort is None:
            self._effort = _Effort(now, gap)
        elif self._in_vain(self._effort, here, gap, now):
            return self._give_up(share, now)
        pace = self._settings.shed_rate * share
        self._credit = min(self._credit + pace * passed, max(1.0, pace))
        shed = min(int(self._credit), here - floor(share), movable)
        if not shed:
            return Advice(share=share)
        self._credit -= shed
        self._effort.asked += shed
        self._effort.expected += shed / len(counts)
        news = None if self._began else News.BEGAN
        self._began = True
        return Advice(shed, share, news)

    # Inside

    def _meet(self, members: Set[NodeId]) -> None:
        if members != self._members:
            self._members = frozenset(members)
            self._rest = REST
            # What fills gaps is judged between the same nodes.
            self._effort = None
            if self._state is _State.RESTING:
                self._be_still()

    def _unbalanced(self, here: int, counts: Collection[int], share: float) -> bool:
        """
        Whether there is something to do here, with regard to what was done before.
        """
        if len(counts) < 2 or here <= share or here < self._settings.min_conns:
            # Others may still be at it, and send some here that are too many: so a move is not over yet.
            if self._state is _State.MOVING and not self._off(counts, share) > self._settings.threshold / 2:
                self._be_still()
            return False
        off = self._off(counts, share)
        if self._state is _State.MOVING:
            moving = off > self._settings.threshold / 2
        else:
            moving = off >= self._settings.threshold > 0
        if not moving:
            self._be_still()
            return False
        self._state = _State.MOVING
        return True

    def _off(self, counts: Collection[int], share: float) -> float:
        here = next(iter(counts))
        return max(here - share, share - min(counts)) / share if share else 0.0

    def _in_vain(self, effort: _Effort, here: int, gap: float, now: float) -> bool:
        if effort.expected < _EXPECTED and effort.asked < max(_ASKED, _PART * here):
            return False
        if effort.gap - gap >= max(_LEAST_SUCCESS, _SUCCESS * effort.expected):
            self._effort = _Effort(now, gap)
            self._rest = REST
            return False
        return now - effort.since >= _JUDGED_AFTER

    def _give_up(self, share: float, now: float) -> Advice:
        rest, self._rest = self._rest, min(self._rest * 2, MAX_REST)
        self._be_still()
        self._state = _State.RESTING
        self._rests_until = now + rest
        return Advice(share=share, news=News.IN_VAIN, rest=rest)

    def _be_still(self) -> None:
        self._state = _State.STILL
        self._effort = None
        self._began = False
