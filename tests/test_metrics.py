"""
Tests for :mod:`pico.metrics`.
"""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families
from twisted.trial.unittest import SynchronousTestCase

from pico.metrics import Distribution, Metrics, Number, method_label


def _samples(metrics: Metrics) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    text, _ = metrics.render("")
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
        metrics.counters("pico_c", "C.", ["status"])[("200",)] = number = Number()
        number.value = 3
        metrics.gauges("pico_d", "D.", ["status"], lambda: [(("active",), 1.0)])
        samples = _samples(metrics)
        self.assertEqual(samples[("pico_a_total", ())], 2)
        self.assertEqual(samples[("pico_b", ())], 7)
        self.assertEqual(samples[("pico_c_total", (("status", "200"),))], 3)
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
        children = metrics.histograms("pico_h", "H.", ["method"])
        children[("GET",)] = Distribution((1.0,))
        children[("GET",)].observe(3)
        self.assertEqual(_samples(metrics)[("pico_h_count", (("method", "GET"),))], 1)

    def test_open_metrics(self) -> None:
        """
        OpenMetrics is written for those who ask for it.
        """
        metrics = Metrics()
        metrics.counter("pico_a", "A.")
        text, content_type = metrics.render("application/openmetrics-text; version=1.0.0")
        self.assertIn(b"openmetrics", content_type)
        self.assertTrue(text.endswith(b"# EOF\n"))

    def test_methods(self) -> None:
        """
        Methods that somebody invents share one label.
        """
        self.assertEqual(method_label(b"GET"), "GET")
        self.assertEqual(method_label(b"get"), "other")
        self.assertEqual(method_label(b"X" * 100), "other")
