"""
Tests for :mod:`pico.net.http.tally`.
"""

from __future__ import annotations

import attrs
from prometheus_client.parser import text_string_to_metric_families
from twisted.trial.unittest import SynchronousTestCase

from pico.metrics import Metrics
from pico.net.http.gateway import FailureKind
from pico.net.http.tally import Tallies, Tally


@attrs.define
class Head:
    """
    What is looked at of a request.
    """

    method: bytes = b"GET"


@attrs.define
class Over:
    """
    An exchange that is over.
    """

    status: int = 200
    head: Head = attrs.field(factory=Head)
    started: float = 0.0
    bytes_in: int = 0
    bytes_out: int = 0
    failure: FailureKind | None = None


def _finish(tally: Tally, over: Over, now: float = 0.0) -> None:
    tally.in_flight += 1
    tally.finished(over.status, over.head.method, now - over.started, over.bytes_in, over.bytes_out, over.failure)


class TallyTests(SynchronousTestCase):
    """
    Exchanges of all kinds.
    """

    def setUp(self) -> None:
        self.metrics = Metrics()

    def read(self, name: str) -> dict[tuple[str, ...], float]:
        """
        The samples of a metric by their labels' values, in the order of the labels' names.
        """
        return {
            tuple(value for _, value in sorted(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(self.metrics.render(False)[0].decode())
            for sample in family.samples
            if sample.name == name
        }

    def test_not_counted(self) -> None:
        """
        Where nothing is counted all numbers stay at zero, but for what is in flight.
        """
        self.metrics = Metrics(counting=False)
        tally = Tallies(self.metrics, "p").of()
        tally.in_flight += 2
        tally.finished(200, b"GET", 0.1, 1, 1, FailureKind.LOST)
        self.assertEqual(self.read("p_requests_total"), {})
        self.assertEqual(set(self.read("p_failures_total").values()), {0.0})
        self.assertEqual(self.read("p_requests_in_flight"), {(): 1.0})

    def test_totals(self) -> None:
        """
        Counted by method and status; in flight from their beginning to their end.
        """
        tally = Tallies(self.metrics, "p").of()
        tally.in_flight += 2
        for status, method in [(200, b"GET"), (200, b"GET"), (404, b"GET"), (200, b"POST")]:
            _finish(tally, Over(status, Head(method)))
        self.assertEqual(self.read("p_requests_total"), {("GET", "200"): 2, ("GET", "404"): 1, ("POST", "200"): 1})
        self.assertEqual(self.read("p_requests_in_flight"), {(): 2})

    def test_distributions(self) -> None:
        """
        How long it took and how much it was, in the buckets that they belong to.
        """
        tally = Tallies(self.metrics, "p").of()
        _finish(tally, Over(started=10.0, bytes_in=256, bytes_out=257), 10.2)
        _finish(tally, Over(started=10.0), 99.0)
        latency = self.read("p_request_latency_seconds_bucket")
        self.assertEqual([latency[(bound, "GET", "200")] for bound in ("0.1", "0.25", "10.0", "+Inf")], [0, 1, 1, 2])
        self.assertAlmostEqual(self.read("p_request_latency_seconds_sum")[("GET", "200")], 89.2)
        self.assertEqual(self.read("p_request_size_bytes_bucket")[("256.0",)], 2)
        self.assertEqual(self.read("p_response_size_bytes_bucket")[("256.0",)], 1)
        self.assertEqual(self.read("p_response_size_bytes_bucket")[("1024.0",)], 2)
        self.assertEqual(self.read("p_request_size_bytes_sum"), {(): 256})

    def test_failures(self) -> None:
        """
        Every reason is there from the beginning.
        """
        tally = Tallies(self.metrics, "p").of()
        self.assertEqual(self.read("p_failures_total"), {(kind.value,): 0 for kind in FailureKind})
        _finish(tally, Over(failure=FailureKind.LOST))
        self.assertEqual(self.read("p_failures_total")[("lost",)], 1)

    def test_labels(self) -> None:
        """
        Tallies with labels are apart, and one set of values is one tally.
        """
        tallies = Tallies(self.metrics, "p", ["endpoint"])
        self.assertIs(tallies.of("e"), tallies.of("e"))
        _finish(tallies.of("e"), Over())
        _finish(tallies.of("f"), Over(bytes_in=5))
        tallies.of("f").in_flight += 1
        self.assertEqual(self.read("p_requests_total"), {("e", "GET", "200"): 1, ("f", "GET", "200"): 1})
        self.assertEqual(self.read("p_requests_in_flight"), {("e",): 0, ("f",): 1})
        self.assertEqual(self.read("p_request_size_bytes_sum"), {("e",): 0, ("f",): 5})
        self.assertEqual(self.read("p_failures_total")[("f", "lost")], 0)

    def test_bound(self) -> None:
        """
        Methods that clients and statuses that services invent make no series.
        """
        tally = Tallies(self.metrics, "p").of()
        for number in range(1000):
            _finish(tally, Over(number, Head(b"M%d" % number)))
            _finish(tally, Over(200, Head(b"M%d" % number)))
            _finish(tally, Over(number, Head(b"GET")))
        found = self.read("p_requests_total")
        self.assertLess(len(found), 200)
        self.assertEqual(sum(found.values()), 3000)
        self.assertEqual(found[("other", "200")], 1001)
        self.assertLess(len(tally._series), 100)
