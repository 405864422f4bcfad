"""
What an agent's supervisor is told.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pico.agent.events import AgentConnected, AgentLost, AgentRefused, RequestServed
from pico.cli.agent_progress import AgentProgress


class AgentProgressTests(SynchronousTestCase):
    """
    Events, summed up.
    """

    def test_statuses(self) -> None:
        """
        How many endpoints are connected, and what keeps the first of the others from it.
        """
        progress = AgentProgress(["a", "b"])
        self.assertEqual(progress.status, "0 of 2 endpoints connected; a: dialling")
        for event, expected in (
            (AgentConnected("a", "http://n", "n1"), "1 of 2 endpoints connected; b: dialling"),
            (AgentRefused("b", "no"), "1 of 2 endpoints connected; b: no"),
            (AgentConnected("b", "http://n", "n1"), "2 of 2 endpoints connected"),
            (AgentLost("a", "gone", 1.0, tunnels=1), "2 of 2 endpoints connected"),
            (AgentRefused("a", "no", tunnels=1), "2 of 2 endpoints connected"),
            (AgentLost("a", "gone", 1.0), "1 of 2 endpoints connected; a: gone"),
        ):
            progress.event(event)
            self.assertEqual(progress.status, expected)

    def test_when_tried(self) -> None:
        """
        It is up when each endpoint was dialled once, whatever came of it; requests say nothing of that.
        """
        progress = AgentProgress(["a", "b"])
        tried = progress.when_tried()
        progress.event(AgentConnected("a", "http://n", "n1"))
        progress.event(AgentLost("a", "gone", 1.0))
        progress.event(
            RequestServed(endpoint="b", method="GET", target="/", status=200, duration=0.1, bytes_out=0, failure="")
        )
        self.assertNoResult(tried)
        progress.event(AgentLost("b", "refused", 1.0))
        self.successResultOf(tried)
        self.successResultOf(progress.when_tried())
