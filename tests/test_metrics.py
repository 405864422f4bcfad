"""
Tests for :mod:`pico.metrics`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry, GCCollector
from prometheus_client.core import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics_families
from prometheus_client.parser import text_string_to_metric_families
from twisted.trial.unittest import SynchronousTestCase

from pico.exposition import Description, Kind
from pico.metrics import Metrics, method_label, status_label


def _samples(metrics: Metrics) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    text, _ = metrics.render(False)
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


class MetricsTests(SynchronousTestCase):
    """
    What is counted is what is shown.
    """

    def test_numbers(self) -> None:
        """
        Counters get their suffix, gauges are read when asked for.
        """
        metrics = Metrics()
        metrics.counter("pico_a", "A.").value += 2
        metrics.gauge("pico_b", "B.", lambda: 7)
        metrics.counters("pico_c", "C.", ["status"], [("500",)])[("200",)].value += 3
        metrics.gauges("pico_d", "D.", ["status"], lambda: [(("active",), 1.0)])
        samples = _samples(metrics)
        self.assertEqual(samples[("pico_a_total", ())], 2)
        self.assertEqual(samples[("pico_b", ())], 7)
        self.assertEqual(samples[("pico_c_total", (("status", "200"),))], 3)
        self.assertEqual(samples[("pico_c_total", (("status", "500"),))], 0)
        self.assertEqual(samples[("pico_d", (("status", "active"),))], 1)

    def test_histogram(self) -> None:
        """
        Buckets are cumulative, and a value on a bound is within it.
        """
        metrics = Metrics()
        histogram = metrics.histogram("pico_h", "H.", (1.0, 2.0))
        for value in (0.5, 1.0, 1.5, 9.0):
            histogram.observe(value)
        samples = _samples(metrics)
        self.assertEqual(samples[("pico_h_bucket", (("le", "1.0"),))], 2)
        self.assertEqual(samples[("pico_h_bucket", (("le", "2.0"),))], 3)
        self.assertEqual(samples[("pico_h_bucket", (("le", "+Inf"),))], 4)
        self.assertEqual(samples[("pico_h_sum", ())], 12)

    def test_labelled_histogram(self) -> None:
        """
        Each set of labels has its own buckets.
        """
        metrics = Metrics()
        children = metrics.histograms("pico_h", "H.", ["method"], (1.0,))
        children[("GET",)].observe(3)
        self.assertEqual(_samples(metrics)[("pico_h_count", (("method", "GET"),))], 1)

    def test_group(self) -> None:
        """
        Numbers that are read together are read once, whatever asks for them.
        """
        reads: list[int] = []
        metrics = Metrics()

        def read() -> list[list[tuple[tuple[str, ...], float]]]:
            reads.append(1)
            return [[(("x",), 1.0), (("y",), 2.0)], [((), 3.0)]]

        metrics.group(
            [Description("pico_a_total", Kind.COUNTER, "A.", ("l",)), Description("pico_b", Kind.GAUGE, "B.")], read
        )
        self.assertEqual(reads, [])
        samples = _samples(metrics)
        self.assertEqual(len(reads), 1)
        self.assertEqual(
            samples,
            {
                ("pico_a_total", (("l", "x"),)): 1,
                ("pico_a_total", (("l", "y"),)): 2,
                ("pico_b", ()): 3,
            },
        )

    def test_read_counter(self) -> None:
        """
        A counter may be kept elsewhere.
        """
        metrics = Metrics()
        metrics.counter("pico_a", "A.", lambda: 9)
        self.assertEqual(_samples(metrics), {("pico_a_total", ()): 9})

    def test_bound(self) -> None:
        """
        A family does not grow without end: what comes last is counted together, and what was there goes on.
        """
        metrics = Metrics(max_series=3)
        children = metrics.counters("pico_a", "A.", ["x", "y"])
        for number in range(100):
            children[(str(number), "y")].value += 1
        children[("1", "y")].value += 1
        self.assertEqual(
            _samples(metrics),
            {
                ("pico_a_total", (("x", "0"), ("y", "y"))): 1,
                ("pico_a_total", (("x", "1"), ("y", "y"))): 2,
                ("pico_a_total", (("x", "2"), ("y", "y"))): 1,
                ("pico_a_total", (("x", "other"), ("y", "other"))): 97,
            },
        )

    def test_one_name_one_metric(self) -> None:
        """
        Two metrics of one name would be a bug.
        """
        metrics = Metrics()
        metrics.counter("pico_a", "A.")
        self.assertRaises(ValueError, metrics.counter, "pico_a", "A.")
        self.assertRaises(ValueError, metrics.histogram, "pico_a_total", "A.", (1.0,))

    def test_formats(self) -> None:
        """
        Both formats hold the same, each as its own parser reads it, hostile label values included.
        """
        metrics = Metrics()
        metrics.counter("pico_a", "A \\ and\nB.").value += 2
        metrics.counters("pico_b", "B.", ["name"])[('"\\\n\u00e9{},',)].value += 1
        metrics.histogram("pico_h_seconds", "H.", (0.5, 1.0)).observe(0.75)
        metrics.register(GCCollector(CollectorRegistry()))
        text, content_type = metrics.render(False)
        self.assertEqual(content_type, b"text/plain; version=0.0.4; charset=utf-8")
        open_text, content_type = metrics.render(True)
        self.assertEqual(content_type, b"application/openmetrics-text; version=1.0.0; charset=utf-8")
        self.assertTrue(open_text.endswith(b"# EOF\n"))
        self.assertNotIn(b"# EOF", text)
        for encoded in (text, open_text):
            self.assertNotIn(b"_created", encoded)
        plain = {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in text_string_to_metric_families(text.decode())
            for sample in family.samples
        }
        # The library has left this one function without annotations.
        parse: Callable[[str], Iterable[Metric]] = open_metrics_families
        strict = {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in parse(open_text.decode())
            for sample in family.samples
        }
        self.assertEqual(plain[("pico_b_total", (("name", '"\\\n\u00e9{},'),))], 1)
        own = {key: value for key, value in strict.items() if key[0].startswith("pico")}
        self.assertEqual(own, {key: value for key, value in plain.items() if key[0].startswith("pico")})
        self.assertIn("python_gc_collections_total", {name for name, _ in strict})

    def test_descriptions(self) -> None:
        """
        What there is can be listed, also what others have registered.
        """
        metrics = Metrics()
        metrics.counters("pico_a", "A.", ["status"])
        metrics.histogram("pico_h", "H.", (1.0,))
        metrics.register(GCCollector(CollectorRegistry()))
        found = metrics.descriptions()
        self.assertEqual(found[0], Description("pico_a_total", Kind.COUNTER, "A.", ("status",)))
        self.assertEqual(found[1], Description("pico_h", Kind.HISTOGRAM, "H."))
        self.assertIn("python_gc_collections_total", [each.name for each in found])

    def test_methods(self) -> None:
        """
        Methods that somebody invents share one label.
        """
        self.assertEqual(method_label(b"GET"), "GET")
        self.assertEqual(method_label(b"get"), "other")
        self.assertEqual(method_label(b"X" * 100), "other")

    def test_statuses(self) -> None:
        """
        Statuses that a service makes up share one label.
        """
        self.assertEqual([status_label(status) for status in (200, 404, 499, 504)], ["200", "404", "499", "504"])
        self.assertEqual({status_label(status) for status in (0, 299, 555, 999)}, {"other"})
        self.assertLess(len({status_label(status) for status in range(1000)}), 80)
