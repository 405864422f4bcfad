"""
Tests for :mod:`pico.cli`, as far as it can be seen without running anything.
"""

from __future__ import annotations

import io

from twisted.trial.unittest import SynchronousTestCase

from pico.agent.events import AgentConnected, AgentLost, RequestServed
from pico.cli.agent_output import AgentOutput
from pico.config.agent import AgentConfig, ListenerConfig
from tests.cli.invoking import commands, invoke
from tests.log_events import keep_log_events


class HelpTests(SynchronousTestCase):
    """
    Every command explains itself.
    """

    def test_help(self) -> None:
        """
        Help is there under both names, with an example.
        """
        for path, _ in commands():
            for flag in ("-h", "--help"):
                result = invoke(*path, flag)
                self.assertEqual(result.status, 0, path)
                self.assertIn("Example", result.stdout, path)

    def test_flags_of_a_node(self) -> None:
        """
        All settings are flags, with default and unit, by section.
        """
        text = " ".join(invoke("server", "-h").stdout.split())
        for part in ("Proxy port:", "Upstream port:", "--proxy.timeout DURATION", "[default: 30s]", "[default: 64KiB]"):
            self.assertIn(part, text)

    def test_did_you_mean(self) -> None:
        """
        A misspelled command or flag is answered with the nearest one.
        """
        self.assertIn("Did you mean 'server'?", invoke("serve").stderr)
        result = invoke("server", "--proxy.bind-adr", ":1")
        self.assertEqual(result.status, 2)
        self.assertIn("--proxy.bind-addr", result.stderr)


class AgentOutputTests(SynchronousTestCase):
    """
    What the agent shows.
    """

    def test_lines(self) -> None:
        """
        What is exposed, and where, when the node has said it, and once; then a line a request.
        """
        for port, shown in ((0, 8000), (9000, 9000)):
            stream = io.StringIO()
            listeners = tuple(ListenerConfig(endpoint_id=name, addr="4000") for name in ("e", "ee"))
            output = AgentOutput(AgentConfig(listeners=listeners), stream)
            self.assertEqual(stream.getvalue(), "")
            output.event(AgentLost("e", "connection refused", 0.1))
            for endpoint in ("e", "ee", "e"):
                output.event(AgentConnected(endpoint, "http://localhost:8001", "n", port))
                output.event(AgentLost("e", "the node closed the tunnel", 0.1))
            base = f"http://localhost:{shown}"
            lines = [
                f"{name:2}  {base}  ->  http://localhost:4000   (curl {base} -H 'x-pico-endpoint: {name}')"
                for name in ("e", "ee")
            ]
            self.assertEqual(stream.getvalue().splitlines(), lines)
        self.assertFalse(output.shows_requests)
        output.event(RequestServed("e", "GET", "/x", 502, 0.25, 7, "unreachable"))
        self.assertRegex(stream.getvalue(), r"502  GET     e/x  250\.0ms  7B  unreachable\n$")

    def test_tunnels(self) -> None:
        """
        Of several tunnels the log says how many there are, and whether others serve when one is lost.
        """
        output = AgentOutput(AgentConfig(listeners=(ListenerConfig(endpoint_id="e", addr="4000"),)), io.StringIO())
        events = keep_log_events(self)
        output.event(AgentConnected("e", "http://n", "n1", 0, tunnels=1, wanted=1))
        output.event(AgentConnected("e", "http://n", "n1", 0, tunnels=2, wanted=3))
        for left in (2, 1, 0):
            output.event(AgentLost("e", "gone", 0.25, left))
        self.assertEqual(
            events.said("client"),
            [
                "info: e: connected to http://n (node n1)",
                "info: e: connected to http://n (node n1), tunnel 2 of 3",
                "warn: e: gone; still served by 2 other tunnels; dialling again in 0.2s",
                "warn: e: gone; still served by another tunnel; dialling again in 0.2s",
                "warn: e: gone; dialling again in 0.2s",
            ],
        )
