"""
What a client would rather have.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pico.net.negotiate import prefers_open_metrics, takes_gzip, weights

#: What Prometheus 2.42 sends.
_PROMETHEUS = (
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)


class NegotiationTests(SynchronousTestCase):
    """
    Tables of headers.
    """

    def test_weights(self) -> None:
        """
        Each name has its weight; the higher one counts, and nonsense counts for nothing.
        """
        for header, expected in [
            ("", {}),
            (" , ;q=1,", {}),
            ("a", {"a": 1.0}),
            ("A;Q=0.5 , b", {"a": 0.5, "b": 1.0}),
            ("a;q=0.1, a;x=1;q=0.7, a;q=0.3", {"a": 0.7}),
            ("a;q=", {"a": 0.0}),
            ("a;q=nan, b;q=inf, c;q=x", {"a": 0.0, "b": 0.0, "c": 0.0}),
        ]:
            self.assertEqual(weights(header), expected, header)

    def test_open_metrics(self) -> None:
        """
        It must be named and not be liked less.
        """
        for header, expected in [
            (_PROMETHEUS, True),
            ("application/openmetrics-text", True),
            ("Application/OpenMetrics-Text; version=1.0.0; charset=utf-8", True),
            ("application/openmetrics-text, text/plain", True),
            ("application/openmetrics-text;q=0.5, text/plain", False),
            ("application/openmetrics-text;q=0.5, text/*;q=0.6", False),
            ("application/openmetrics-text;q=0", False),
            ("text/plain;version=0.0.4", False),
            ("*/*", False),
            ("", False),
        ]:
            self.assertIs(prefers_open_metrics(header), expected, header)

    def test_gzip(self) -> None:
        """
        It must be named.
        """
        for header, expected in [
            ("gzip", True),
            ("deflate, GZIP;q=0.5", True),
            ("gzip;q=0", False),
            ("identity", False),
            ("*", False),
            ("", False),
        ]:
            self.assertIs(takes_gzip(header), expected, header)
