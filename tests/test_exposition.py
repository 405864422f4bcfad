"""
Tests for :mod:`pico.exposition`, beside prometheus-client's own writers and readers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator

from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.openmetrics import exposition as their_open_metrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_open_metrics
from prometheus_client.parser import text_string_to_metric_families as read_text
from prometheus_client.registry import Collector
from twisted.trial.unittest import SynchronousTestCase

from pico.exposition import OPEN_METRICS, TEXT, Description, Exposition, Kind

_COUNTER = Description("a_total", Kind.COUNTER, 'Of \\ and "\n all.', ("x", "y"))
_GAUGE = Description("b", Kind.GAUGE, "B.")
_HISTOGRAM = Description("h_seconds", Kind.HISTOGRAM, "H.", ("x",))

# The library has left these two functions without annotations.
_write_open_metrics: Callable[[Collector], bytes] = their_open_metrics.generate_latest
_read_open_metrics: Callable[[str], Iterable[Metric]] = read_open_metrics

Found = dict[tuple[str, tuple[tuple[str, str], ...]], float]


class Theirs(Collector):
    """
    The same numbers for the library.
    """

    def __init__(self, labels: tuple[str, str], value: float) -> None:
        self._labels = labels
        self._value = value

    def collect(self) -> Iterator[Metric]:
        counter = CounterMetricFamily("a", _COUNTER.help, labels=_COUNTER.labels)
        counter.add_metric(self._labels, self._value)
        yield counter
        yield GaugeMetricFamily("b", "B.", value=-self._value)
        histogram = HistogramMetricFamily("h_seconds", "H.", labels=("x",))
        histogram.add_metric(self._labels[:1], [("0.5", 1.0), ("1.0", 1.0), ("+Inf", 4.0)], self._value)
        yield histogram


def _ours(labels: tuple[str, str], value: float, *, open_metrics: bool) -> tuple[bytes, bytes]:
    text = Exposition(open_metrics=open_metrics)
    text.add(_COUNTER, [(labels, value)])
    text.add(_GAUGE, [((), -value)])
    text.add_histogram(_HISTOGRAM, (0.5, 1.0), [(labels[:1], [1, 0, 3], value)])
    return text.finish()


def _found(families: Iterable[Metric]) -> tuple[list[tuple[str, str, str]], Found]:
    listed = list(families)
    samples = {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in listed
        for sample in family.samples
    }
    return [(family.name, family.type, family.documentation) for family in listed], samples


class ExpositionTests(SynchronousTestCase):
    """
    Counters, gauges and histograms.
    """

    def test_text(self) -> None:
        """
        The text format to the letter.
        """
        body, content_type = _ours(("1", "2"), 7, open_metrics=False)
        self.assertEqual(content_type, TEXT)
        self.assertEqual(
            body.decode(),
            '# HELP a_total Of \\\\ and "\\n all.\n# TYPE a_total counter\na_total{x="1",y="2"} 7.0\n'
            "# HELP b B.\n# TYPE b gauge\nb -7.0\n"
            "# HELP h_seconds H.\n# TYPE h_seconds histogram\n"
            'h_seconds_bucket{x="1",le="0.5"} 1.0\nh_seconds_bucket{x="1",le="1.0"} 1.0\n'
            'h_seconds_bucket{x="1",le="+Inf"} 4.0\nh_seconds_count{x="1"} 4.0\nh_seconds_sum{x="1"} 7.0\n',
        )

    def test_open_metrics(self) -> None:
        """
        OpenMetrics: the family of a counter is called without its suffix, and the end is marked.
        """
        body, content_type = _ours(("1", "2"), 7, open_metrics=True)
        self.assertEqual(content_type, OPEN_METRICS)
        text = body.decode()
        self.assertTrue(
            text.startswith('# HELP a Of \\\\ and \\"\\n all.\n# TYPE a counter\na_total{x="1",y="2"} 7.0\n'), text
        )
        self.assertTrue(text.endswith('h_seconds_sum{x="1"} 7.0\n# EOF\n'), text)

    def test_empty(self) -> None:
        """
        A metric without samples is announced; nothing at all is a text as well.
        """
        for open_metrics, end in ((False, b""), (True, b"# EOF\n")):
            text = Exposition(open_metrics=open_metrics)
            self.assertEqual(text.finish()[0], end)
            text.add(_GAUGE, [])
            self.assertEqual(text.finish()[0], b"# HELP b B.\n# TYPE b gauge\n" + end)

    def test_odd_numbers(self) -> None:
        """
        Numbers that are none have names.
        """
        text = Exposition(open_metrics=False)
        text.add(Description("b", Kind.GAUGE, "B."), [((), value) for value in (math.inf, -math.inf, 1e300, 0)])
        self.assertEqual(
            [line.split()[1] for line in text.finish()[0].decode().splitlines()[2:]],
            [
                "+Inf",
                "-Inf",
                "1e+300",
                "0.0",
            ],
        )
        text = Exposition(open_metrics=False)
        text.add(Description("b", Kind.GAUGE, "B."), [((), math.nan)])
        self.assertTrue(text.finish()[0].endswith(b"b NaN\n"))

    @settings(max_examples=60, deadline=None)
    @given(
        labels=st.tuples(st.text(max_size=8), st.text(alphabet='"\\\n,{}=n ', max_size=8)),
        value=st.floats(min_value=0, allow_nan=False) | st.integers(0, 2**60),
    )
    def test_like_the_library(self, labels: tuple[str, str], value: float) -> None:
        """
        Whatever the labels hold, readers find in ours what they find in the library's.
        """
        registry = CollectorRegistry(auto_describe=False)
        registry.register(Theirs(labels, value))
        ours = _ours(labels, value, open_metrics=False)[0].decode()
        self.assertEqual(_found(read_text(ours)), _found(read_text(generate_latest(registry).decode())))
        ours = _ours(labels, value, open_metrics=True)[0].decode()
        theirs = _write_open_metrics(registry).decode()
        self.assertEqual(_found(_read_open_metrics(ours)), _found(_read_open_metrics(theirs)))
