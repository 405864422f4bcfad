"""
How far an agent has come with its tunnels.
"""

from __future__ import annotations

from collections.abc import Iterable

from twisted.internet.defer import Deferred, succeed

from pico.agent.events import AgentConnected, AgentEvent, AgentLost, AgentRefused
from pico.net.waiters import Waiters


class AgentProgress:
    """
    Sum up an agent's events.
    """

    def __init__(self, endpoints: Iterable[str]) -> None:
        self._trouble: dict[str, str | None] = dict.fromkeys(endpoints, "dialling")
        self._untried = set(self._trouble)
        self._tried: Waiters[None] = Waiters()

    @property
    def status(self) -> str:
        """
        What the agent does, in one line.
        """
        trouble = [(endpoint, reason) for endpoint, reason in self._trouble.items() if reason is not None]
        connected = len(self._trouble) - len(trouble)
        text = f"{connected} of {len(self._trouble)} endpoints connected"
        return f"{text}; {trouble[0][0]}: {trouble[0][1]}" if trouble else text

    def event(self, event: AgentEvent) -> None:
        """
        Take note of something that happened.
        """
        if isinstance(event, AgentConnected):
            self._trouble[event.endpoint] = None
        elif isinstance(event, AgentLost | AgentRefused):
            # An endpoint with another tunnel is served.
            self._trouble[event.endpoint] = None if event.tunnels else event.reason
        else:
            return
        self._untried.discard(event.endpoint)
        if not self._untried:
            self._tried.tell(None)

    def when_tried(self) -> Deferred[None]:
        """
        Wait until each endpoint was dialled once, with or without success.
        """
        return self._tried.wait() if self._untried else succeed(None)
