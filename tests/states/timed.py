"""
The cores that are told the time: dialling, keep-alive, departure.
"""

from __future__ import annotations

from collections.abc import Callable

import attrs

from pico.wire.departure import Action as DepartureAction
from pico.wire.departure import Departure
from pico.wire.departure import State as DepartureState
from pico.wire.dialling import Backoff, Patience
from pico.wire.keepalive import Action as KeepAliveAction
from pico.wire.keepalive import KeepAlive
from tests.states.explore import Axis, Input, Machine, NotNow


def _backoff() -> Backoff:
    # The usual one ends at 15 s, after three more steps that are no different.
    return Backoff(maximum=1.6)


@attrs.define
class Dialler:
    """
    Patience, and what it was told; it does not show its state, so its next answer is asked of a second one.
    """

    told: tuple[Callable[[Patience, float], float], ...] = ()

    def tell(self, call: Callable[[Patience, float], float]) -> tuple[float, float]:
        """
        The shortest and the longest wait that an input leads to.
        """
        shortest, longest = (call(self._again(), jitter) for jitter in (0.0, 1.0))
        self.told += (call,)
        return shortest, longest

    def longest(self) -> tuple[float, float]:
        """
        How long the wait may be if the next try fails, and if it brings a tunnel that falls at once.
        """
        return self._again().refused(None, 0, 1.0), self._again().lost(0, 1.0)

    def _again(self) -> Patience:
        patience = Patience(_backoff())
        for call in self.told:
            call(patience, 0.5)
        return patience


def _dialling(name: str, meaning: str, call: Callable[[Patience, float], float]) -> Input[Dialler]:
    return Input(name, meaning, (lambda dialler: dialler.tell(call),))


def _seconds(value: float) -> str:
    return f"{value:g} s"


def _range(result: object) -> str:
    match result:
        case (float() as shortest, float() as longest):
            return f"{_seconds(shortest)} to {_seconds(longest)}"
    raise AssertionError(result)


def _bounds(meaning: str) -> dict[str, str]:
    """
    The bounds of the back-off, from the first to the last.
    """
    backoff = _backoff()
    bounds: dict[str, str] = {}
    while (bound := _seconds(backoff.next_delay(1.0))) not in bounds:
        bounds[bound] = f"{meaning}, the wait is up to {bound}"
    return bounds


PATIENCE: Machine[Dialler] = Machine(
    "dialling",
    "Dialling again",
    "How long an agent waits before it dials again: `Patience` in `pico/wire/dialling.py`. "
    "Its state is the bound of the next wait, which has two sides; a table's cell says the shortest and the longest "
    "wait. Bounds end at 1.6 s here instead of 15 s.",
    (
        Axis("The next wait after a refusal", _bounds("if the next try fails")),
        Axis("The next wait after a fall", _bounds("if the next tunnel falls at once")),
    ),
    (Dialler,),
    lambda dialler: (_seconds(dialler.longest()[0]), _seconds(dialler.longest()[1])),
    lambda dialler: None,
    (
        _dialling("no answer", "`refused(None, 0)`", lambda patience, jitter: patience.refused(None, 0, jitter)),
        _dialling("502", "`refused(502, 0)`: it may go better soon", lambda p, jitter: p.refused(502, 0, jitter)),
        _dialling("503, asked for 30 s", "`refused(503, 30)`", lambda p, jitter: p.refused(503, 30, jitter)),
        _dialling(
            "401", "`refused(401, 0)`: it will not change by itself", lambda p, jitter: p.refused(401, 0, jitter)
        ),
        _dialling("lost soon", "`lost(4.9)`: the tunnel fell at once", lambda p, jitter: p.lost(4.9, jitter)),
        _dialling("lost", "`lost(5)`: the tunnel stood for a while", lambda p, jitter: p.lost(5, jitter)),
        _dialling(
            "go-away", "`relieved()`: the node asks to dial another", lambda patience, jitter: patience.relieved(jitter)
        ),
    ),
    _range,
)


@attrs.define
class Clocked:
    """
    A keep-alive and the time.
    """

    watch: KeepAlive
    interval: float
    now: float = 0.0

    def received(self) -> None:
        """
        Something comes a second later.
        """
        self.now += 1
        self.watch.received(self.now)

    def fire(self, late: float) -> KeepAliveAction:
        """
        The timer fires so much after its time.
        """
        deadline = self.watch.next_deadline()
        if deadline is None:
            if late:
                raise NotNow
            deadline = self.now
        self.now = max(self.now, deadline + late)
        return self.watch.handle_timer(self.now)


def _watched(interval: float) -> Callable[[], Clocked]:
    def start() -> Clocked:
        watch = KeepAlive(interval, 10)
        watch.start(0)
        return Clocked(watch, interval)

    return start


def _keepalive_state(clocked: Clocked) -> tuple[str]:
    if clocked.watch.ping_sent:
        return ("ASKED" if clocked.interval else "DOUBTED",)
    return ("OFF" if clocked.watch.next_deadline() is None else "QUIET",)


def _due(result: object) -> str:
    match result:
        case KeepAliveAction.NONE | DepartureAction.NONE | None:
            return ""
        case KeepAliveAction() | DepartureAction():
            return f"**{result.name}**"
    raise AssertionError(result)


KEEPALIVE: Machine[Clocked] = Machine(
    "keepalive",
    "Keep-alive",
    "Watches a silent peer: `KeepAlive` in `pico/wire/keepalive.py`. "
    "In bold what is due: PING to send a ping, DEAD to give the peer up.",
    (
        Axis(
            "What is waited for",
            {
                "OFF": "nothing: the interval is 0",
                "QUIET": "the end of an interval of silence; `ping_sent` is false",
                "ASKED": "any byte, since a ping was sent; `ping_sent` is true",
                "DOUBTED": "the same, where the interval is 0",
            },
        ),
    ),
    (_watched(30), _watched(0)),
    _keepalive_state,
    lambda clocked: None,
    (
        Input("received", "`received(now)`: any byte", (Clocked.received,)),
        Input(
            "ask",
            "`ask(now)`: something else gives a reason to doubt",
            (lambda clocked: clocked.watch.ask(clocked.now),),
        ),
        Input("timer, early", "`handle_timer(now)` before its time", (lambda clocked: clocked.fire(-0.5),)),
        Input("timer", "`handle_timer(now)` when it is due", (lambda clocked: clocked.fire(0),)),
        Input("timer, a bit late", "less than `timeout` after its time", (lambda clocked: clocked.fire(9.9),)),
        Input(
            "timer, far too late",
            "`timeout` after its time or later: this program stood still, not the peer",
            (lambda clocked: clocked.fire(10),),
        ),
    ),
    _due,
)


@attrs.define
class Leaver:
    """
    A departure, how many streams there are, and the time.
    """

    grace: float
    linger: float
    departure: Departure = attrs.field(init=False)
    open: int = 0
    now: float = 0.0

    def __attrs_post_init__(self) -> None:
        self.departure = Departure(self.grace, linger=self.linger)

    def begin(self) -> DepartureAction:
        """
        Go-away is said.
        """
        return self.departure.begin(self.now)

    def streams(self, count: int) -> DepartureAction:
        """
        Streams come or go.
        """
        if count == self.open:
            raise NotNow
        self.open = count
        return self.departure.streams(count, self.now)

    def hurry(self) -> DepartureAction:
        """
        There is no time any more.
        """
        return self.departure.hurry(0, self.now)

    def fire(self, early: float) -> DepartureAction:
        """
        The timer fires.
        """
        deadline = self.departure.next_deadline()
        if deadline is None:
            raise NotNow
        if deadline - early > self.now:
            self.now = deadline - early
        return self.departure.handle_timer(self.now)


def _leaver_hidden(leaver: Leaver) -> object:
    deadline = leaver.departure.next_deadline()
    return leaver.grace, leaver.linger, None if deadline is None else deadline - leaver.now > 0.25


DEPARTURE: Machine[Leaver] = Machine(
    "departure",
    "Departure",
    "How a tunnel leaves: `Departure` in `pico/wire/departure.py`. With and without a time that it stays at the least, "
    "and with a grace period or none. In bold what is due: CLOSE because every stream has ended, CUT because the grace "
    "period has.",
    (
        Axis("How far it is", {state.name: state.value for state in DepartureState}),
        Axis("Streams", {"none": "no stream is open", "some": "streams are open"}),
    ),
    (lambda: Leaver(60, 1), lambda: Leaver(60, 0), lambda: Leaver(0, 0)),
    lambda leaver: (leaver.departure.state.name, "some" if leaver.open else "none"),
    _leaver_hidden,
    (
        Input("begin", "`begin(now)`: go-away was said", (Leaver.begin,)),
        Input("streams come", "`streams(2, now)`", (lambda leaver: leaver.streams(2),)),
        Input("streams end", "`streams(0, now)`", (lambda leaver: leaver.streams(0),)),
        Input("hurry", "`hurry(0, now)`: the grace period ends now", (Leaver.hurry,)),
        Input("timer, early", "`handle_timer(now)` before its time", (lambda leaver: leaver.fire(0.5),)),
        Input("timer", "`handle_timer(now)` when it is due", (lambda leaver: leaver.fire(0),)),
    ),
    _due,
)
