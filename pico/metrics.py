"""
Numbers that cost nothing to count.

A counter here is an object with a plain attribute: the hot path writes ``requests.value += 1``. Only when somebody
asks are they turned into text.

Label values come from sets that the program bounds itself, never from outside: see :func:`method_label`,
:func:`status_label`. Should one grow all the same, a family stops at :data:`MAX_SERIES`, and what comes after that is
counted together.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from http import HTTPStatus
from typing import Final, Generic, TypeVar

from prometheus_client.registry import Collector

from pico.exposition import Description, Exposition, Kind, Samples

#: Upper bounds in seconds, those of Piko's latency histograms.
LATENCY_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
#: Upper bounds in bytes, 256 · 4ⁿ.
SIZE_BUCKETS: Final = tuple(float(256 * 4**n) for n in range(8))

#: The label of whatever has no series of its own.
OTHER: Final = "other"

#: Sets of label values that one family has at most.
MAX_SERIES: Final = 10_000

_METHODS: Final = {
    method: method.decode()
    for method in (b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"CONNECT", b"OPTIONS", b"TRACE", b"PATCH")
}

#: Those that are registered, and 499 for a client that did not wait.
_STATUSES: Final = {int(status): str(int(status)) for status in HTTPStatus} | {499: "499"}


def method_label(method: bytes) -> str:
    """
    The label of a request's method; one for all that RFC 9110 and RFC 5789 do not name.
    """
    return _METHODS.get(method, OTHER)


def status_label(status: int) -> str:
    """
    The label of a response's status; one for all that are not registered, which a service may make up.
    """
    return _STATUSES.get(status, OTHER)


class Number:
    """
    A counter or a gauge of one set of label values: ``number.value += 1``.
    """

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value: float = 0.0


class Distribution:
    """
    A histogram of one set of label values.
    """

    __slots__ = ("_first", "bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._first: float = bounds[0]
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        """
        Count one value.
        """
        if value <= self._first:
            self.counts[0] += 1
        else:
            self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value


Child = TypeVar("Child")


class Children(dict[tuple[str, ...], Child], Generic[Child]):
    """
    What a family counts, by label values. What was not there when it was asked for begins at zero.

    Look a child up once and keep it where every nanosecond counts.
    """

    def __init__(self, make: Callable[[], Child], limit: int) -> None:
        """
        :param limit: sets of label values; all that come later share one more.
        """
        super().__init__()
        self._make = make
        self._limit = limit

    def __missing__(self, labels: tuple[str, ...]) -> Child:
        if len(self) >= self._limit:
            labels = (OTHER,) * len(labels)
            child = self.get(labels)
            if child is not None:
                return child
        child = self[labels] = self._make()
        return child


class Metrics:
    """
    All numbers of one process, by name.

    :ivar counting: for those who count on the way of a request.
    """

    def __init__(self, max_series: int = MAX_SERIES, *, counting: bool = True) -> None:
        """
        :param counting: whether requests are counted. What counting costs is seen beside a program that does not.
        """
        self.counting = counting
        self._max_series = max_series
        self._descriptions: dict[str, Description] = {}
        self._families: list[Callable[[Exposition], None]] = []
        self._foreign: list[Collector] = []

    def counter(self, name: str, help_text: str, read: Callable[[], float] | None = None) -> Number:
        """
        Make a counter without labels, either written or read when it is asked for; ``name`` without ``_total``.
        """
        number = Number()
        get = read or (lambda: number.value)
        self.group([Description(name + "_total", Kind.COUNTER, help_text)], lambda: [[((), get())]])
        return number

    def gauge(self, name: str, help_text: str, read: Callable[[], float] | None = None) -> Number:
        """
        Make a gauge without labels, either written like a counter or read when it is asked for.
        """
        number = Number()
        get = read or (lambda: number.value)
        self.group([Description(name, Kind.GAUGE, help_text)], lambda: [[((), get())]])
        return number

    def counters(
        self, name: str, help_text: str, labels: Sequence[str], known: Iterable[tuple[str, ...]] = ()
    ) -> Children[Number]:
        """
        Make a counter with labels; ``name`` without ``_total``.

        :param known: label values that are shown from the beginning, so that the first of them counts as a change.
        """
        children = Children(Number, self._max_series)
        for values in known:
            children[values] = Number()
        self.group(
            [Description(name + "_total", Kind.COUNTER, help_text, tuple(labels))],
            lambda: [[(values, number.value) for values, number in children.items()]],
        )
        return children

    def gauges(self, name: str, help_text: str, labels: Sequence[str], read: Callable[[], Samples]) -> None:
        """
        Make a gauge with labels that is read when it is asked for.
        """
        self.group([Description(name, Kind.GAUGE, help_text, tuple(labels))], lambda: [read()])

    def group(self, descriptions: Sequence[Description], read: Callable[[], Iterable[Samples]]) -> None:
        """
        Make counters and gauges that are read together when they are asked for.

        :param read: gives the samples of each, in the order of the descriptions.
        """
        for description in descriptions:
            self._describe(description)

        def write(text: Exposition) -> None:
            for description, samples in zip(descriptions, read(), strict=True):
                text.add(description, samples)

        self._families.append(write)

    def histogram(self, name: str, help_text: str, bounds: Sequence[float]) -> Distribution:
        """
        Make a histogram without labels.
        """
        return self.histograms(name, help_text, (), bounds)[()]

    def histograms(
        self, name: str, help_text: str, labels: Sequence[str], bounds: Sequence[float]
    ) -> Children[Distribution]:
        """
        Make a histogram with labels.
        """
        children = Children(lambda: Distribution(bounds), self._max_series)
        description = Description(name, Kind.HISTOGRAM, help_text, tuple(labels))
        self._describe(description)

        def write(text: Exposition) -> None:
            samples = ((values, child.counts, child.total) for values, child in children.items())
            text.add_histogram(description, bounds, samples)

        self._families.append(write)
        return children

    def register(self, collector: Collector) -> None:
        """
        Show what another collector has, such as prometheus-client's own numbers of the process; counters and gauges.
        """
        self._foreign.append(collector)

    def descriptions(self) -> list[Description]:
        """
        What there is, those of other collectors last.
        """
        return [*self._descriptions.values(), *(description for description, _ in self._of_others())]

    def render(self, open_metrics: bool) -> tuple[bytes, bytes]:
        """
        Write everything down.

        :param open_metrics: in the format of OpenMetrics 1.0, else in the text format of Prometheus.
        :return: the text and its content type.
        """
        text = Exposition(open_metrics=open_metrics)
        for write in self._families:
            write(text)
        for description, samples in self._of_others():
            text.add(description, samples)
        return text.finish()

    def _of_others(self) -> Iterator[tuple[Description, Samples]]:
        for collector in self._foreign:
            for metric in collector.collect():
                name = metric.name + "_total" if metric.type == Kind.COUNTER else metric.name
                labels = tuple(sorted({label for sample in metric.samples for label in sample.labels}))
                samples = [
                    ([sample.labels.get(label, "") for label in labels], sample.value)
                    for sample in metric.samples
                    if sample.name == name
                ]
                yield Description(name, metric.type, metric.documentation, labels), samples

    def _describe(self, description: Description) -> None:
        if description.name in self._descriptions:
            raise ValueError(f"there is a metric {description.name} already")
        self._descriptions[description.name] = description
