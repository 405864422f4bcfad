"""
How long to wait before dialling again, and whether there is any point in it.
"""

from __future__ import annotations

import enum
from typing import Final

#: Statuses after which another try may succeed; no status at all means that there was no HTTP answer.
_RETRY: Final = frozenset({408, 425, 429, 500, 502, 503, 504})

#: Refusals that may say when to come back (RFC 9110 section 10.2.3).
_TIMED: Final = frozenset({429, 503})

#: The longest that a refusal may keep us away, in seconds: whoever wrote it may have meant somebody else.
MAX_RETRY_AFTER: Final = 300.0

#: Seconds over which those are spread whom a node asks to go away: it asks all of them in the same moment,
#: and what they have still serves.
GO_AWAY_SPREAD: Final = 0.5


class Verdict(enum.Enum):
    """
    What a refusal means.
    """

    #: It may go better soon.
    RETRY = "retry"
    #: It will not change by itself: say it once, and look again slowly.
    FINAL = "final"


def verdict(status: int | None) -> Verdict:
    """
    Judge the answer to an upgrade request; ``None`` when none came.
    """
    return Verdict.RETRY if status is None or status in _RETRY else Verdict.FINAL


def retry_after(status: int, value: bytes) -> float:
    """
    Read a refusal's Retry-After.

    :return: seconds to wait at the least; 0 if it does not say, or says it as a date.
    """
    if status not in _TIMED or not value.isdigit():
        return 0.0
    return float(min(int(value[:9]), MAX_RETRY_AFTER))


class Backoff:
    """
    Waits that grow from ``minimum`` to ``maximum`` seconds.

    Each lies anywhere between a quarter of a bound and the bound, which doubles, so that those who lost the
    same node do not come back together, not even the first time.

    :ivar bound: of the last wait; the minimum before there was one.
    """

    __slots__ = ("_maximum", "_minimum", "bound")

    def __init__(self, minimum: float = 0.1, maximum: float = 15.0) -> None:
        self._minimum = minimum
        self._maximum = maximum
        self.bound = minimum

    def next_delay(self, jitter: float) -> float:
        """
        The next wait.

        :param jitter: a random number from 0 up to 1.
        """
        self.bound = bound = min(self.bound * 2, self._maximum)
        least = max(self._minimum, bound / 4)
        return least + (bound - least) * jitter

    def reset(self, bound: float = 0.0) -> None:
        """
        Begin anew, after a success.

        :param bound: where to go on instead, after half a success.
        """
        self.bound = max(bound, self._minimum)


class Patience:
    """
    When to dial again: the one place that weighs back-off, verdict and what the node asks for.

    A refusal that is final is waited out slowly. A tunnel that was had ends what earlier refusals added to the
    wait: whatever they were about is over. Tunnels that fall at once add to it all the same, one after the
    other, so that a node that takes and drops them is not dialled in a circle; one that stood for a while, or
    whose node said go-away, begins anew.
    """

    __slots__ = ("_backoff", "_fallen", "_final", "_stable")

    def __init__(self, backoff: Backoff, *, final: float = 60.0, stable: float = 5.0) -> None:
        """
        :param final: seconds between tries after a final refusal.
        :param stable: seconds after which a tunnel counts as a success.
        """
        self._backoff = backoff
        #: The bound to which tunnels that fell have brought the wait, refusals apart; 0 if none fell.
        self._fallen = 0.0
        self._final = final
        self._stable = stable

    def refused(self, status: int | None, asked: float, jitter: float) -> float:
        """
        The wait after a try that failed.

        :param asked: what :func:`retry_after` says.
        :param jitter: a random number from 0 up to 1.
        """
        if verdict(status) is Verdict.FINAL:
            return self._final * (1 + jitter / 4)
        return max(self._backoff.next_delay(jitter), asked * (1 + jitter / 4))

    def relieved(self, jitter: float) -> float:
        """
        The wait after the node's go-away. Its end is in order, however short the tunnel stood: when it comes,
        the agent is to be back at once.
        """
        self._backoff.reset()
        self._fallen = 0.0
        return GO_AWAY_SPREAD * jitter

    def lost(self, stood: float, jitter: float) -> float:
        """
        The wait after a tunnel that stood for so many seconds.
        """
        self._backoff.reset(self._fallen if stood < self._stable else 0.0)
        delay = self._backoff.next_delay(jitter)
        self._fallen = self._backoff.bound
        return delay
