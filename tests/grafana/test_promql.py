"""
What queries ask for.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.grafana.promql import asked


class AskedTests(SynchronousTestCase):
    """
    :func:`asked`.
    """

    def test_metrics(self) -> None:
        """
        Metrics are what is neither function nor label nor word; each has its own labels.
        """
        for query, metrics, labels in (
            ("a", [("a", set())], set()),
            ('a{b="c", d=~"e\\"", f!="g"} offset 2m', [("a", {"b", "d", "f"})], set()),
            ("sum by (b, c) (rate(a[5m]))", [("a", set())], {"b", "c"}),
            ('a{x="1"} / on (b) group_left (c) a > 0.1', [("a", {"x"}), ("a", set())], {"b", "c"}),
            ("a * on (b) group_left () (c * 0 + 1)", [("a", set()), ("c", set())], {"b"}),
            ("count(a == 0) or vector(0)", [("a", set())], set()),
            ("(a and c) unless d", [("a", set()), ("c", set()), ("d", set())], set()),
            ("clamp_min(a, 1e-9)", [("a", set())], set()),
            ("topk(10, a, b)", [("a", set()), ("b", set())], set()),
        ):
            found = asked(query)
            self.assertEqual([(name, set(names)) for name, names in found.metrics], metrics, query)
            self.assertEqual(found.labels, labels, query)

    def test_not_matchers(self) -> None:
        """
        What cannot be read is not passed over.
        """
        self.assertRaises(ValueError, asked, 'a{b="c" d}')
