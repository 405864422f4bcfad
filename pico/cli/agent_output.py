"""
What an agent shows on its terminal.
"""

from __future__ import annotations

import time
from typing import TextIO
from urllib.parse import urlsplit

from twisted.logger import Logger

from pico.agent.events import AgentConnected, AgentEvent, AgentLost, AgentRefused, RequestServed
from pico.cli.terminal import use_color_on
from pico.config.addresses import parse_service
from pico.config.agent import AgentConfig
from pico.net.addresses import text_of_pair

_log = Logger(namespace="client")

#: Where clients call a node that does not say where (a Piko server).
USUAL_PORT = 8000


class AgentOutput:
    """
    Write what is exposed, and a line a request when somebody is watching.

    What happens to the tunnels goes to the log, which is for the daemon's operator as well.
    """

    def __init__(self, config: AgentConfig, stream: TextIO) -> None:
        self._config = config
        self._stream = stream
        quiet = all(listener.access_log.disable for listener in config.listeners)
        self._watched = stream.isatty()
        self._color = use_color_on(stream)
        self.shows_requests = self._watched and not quiet
        self._introduced = False

    def _introduce(self, proxy_port: int) -> None:
        """
        Say what is exposed, and how to call it, which only the node knows.
        """
        url = urlsplit(self._config.connect.url[0])
        host = url.hostname or "localhost"
        port = proxy_port or USUAL_PORT
        base = f"http://{text_of_pair((host, port))}"
        width = max(len(listener.endpoint_id) for listener in self._config.listeners)
        for listener in self._config.listeners:
            self._line(
                f"{listener.endpoint_id:{width}}  {base}  ->  {parse_service(listener.addr)}"
                f"   (curl {base} -H 'x-pico-endpoint: {listener.endpoint_id}')"
            )

    def event(self, event: AgentEvent) -> None:
        """
        Show something that happened.
        """
        if isinstance(event, RequestServed):
            self._request(event)
        elif isinstance(event, AgentConnected):
            self._connected(event)
        elif isinstance(event, AgentRefused):
            _log.error(
                "{endpoint}: refused by the node: {reason}; trying again once a minute",
                endpoint=event.endpoint,
                reason=event.reason,
            )
        elif isinstance(event, AgentLost):
            _log.warn(
                "{endpoint}: {reason}{left}; dialling again in {retry_in:.1f}s",
                endpoint=event.endpoint,
                reason=event.reason,
                left=f"; still served by {_tunnels(event.tunnels)}" if event.tunnels else "",
                retry_in=event.retry_in,
            )

    def _connected(self, event: AgentConnected) -> None:
        if not self._introduced:
            self._introduced = True
            self._introduce(event.proxy_port)
        node = f" (node {event.node})" if event.node else ""
        count = f", tunnel {event.tunnels} of {event.wanted}" if event.wanted > 1 else ""
        _log.info("{endpoint}: connected to {url}{suffix}", endpoint=event.endpoint, url=event.url, suffix=node + count)

    def _request(self, event: RequestServed) -> None:
        status = str(event.status)
        if self._color:
            color = {"2": 32, "3": 36, "4": 33, "5": 31}.get(status[0], 0)
            status = f"\x1b[{color}m{status}\x1b[0m"
        moment = time.strftime("%H:%M:%S")
        suffix = f"  {event.failure}" if event.failure else ""
        self._line(
            f"{moment}  {status}  {event.method:7} {event.endpoint}{event.target}"
            f"  {event.duration * 1000:.1f}ms  {event.bytes_out}B{suffix}"
        )

    def _line(self, text: str) -> None:
        try:
            self._stream.write(text + "\n")
            self._stream.flush()
        except (OSError, ValueError):
            pass  # nobody is watching any more


def _tunnels(count: int) -> str:
    return "another tunnel" if count == 1 else f"{count} other tunnels"
