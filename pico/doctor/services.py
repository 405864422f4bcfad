"""
Does the service behind an endpoint take connections?
"""

from __future__ import annotations

from collections.abc import Iterator

from pico.config.addresses import parse_service
from pico.config.agent import ListenerConfig
from pico.doctor.dial import Failed, dial
from pico.doctor.finding import Finding, ok


def look_at_service(listener: ListenerConfig, limit: float) -> Iterator[Finding]:
    """
    Connect as the agent would, and say nothing.
    """
    service = parse_service(listener.addr)
    subject = f"service of {listener.endpoint_id}"
    try:
        dial(
            service.host,
            service.port,
            secure=service.scheme == "https",
            limit=min(limit, listener.timeout) or limit,
            subject=subject,
            advice="start the service, or correct its address; until then clients get 502",
        ).close()
    except Failed as failed:
        yield failed.finding
    else:
        yield ok(subject, f"{service} takes connections")
