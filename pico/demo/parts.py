"""
What the demo consists of: the commands, and how to see that they are at work.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from http.client import HTTPConnection, HTTPException

import attrs

from pico.demo.text import ENDPOINT

#: Seconds that requests under way get when the demo ends; the stream of events would never end by itself.
GRACE = 1

AGENT = "the agent"
NODE = "the node"
SERVICE = "the sample service"

_HOST = "127.0.0.1"


@attrs.frozen
class Ports:
    """
    Where everything listens, on the loopback interface.
    """

    proxy: int
    upstream: int
    admin: int
    service: int


@attrs.frozen
class Part:
    """
    One process of the demo.

    :ivar port: where to ask whether it is up, with ``path``.
    :ivar is_up: judges the body of a good answer.
    """

    name: str
    command: list[str]
    port: int
    path: str
    is_up: Callable[[bytes], bool]


def make_parts(ports: Ports) -> list[Part]:
    """
    The parts, in the order in which they are started.
    """
    return [
        Part(
            SERVICE,
            [sys.executable, "-m", "pico.demo.service", str(ports.service)],
            ports.service,
            "/",
            lambda body: True,
        ),
        Part(
            NODE,
            [
                *(sys.executable, "-m", "pico", "server"),
                *("--proxy.bind-addr", f"{_HOST}:{ports.proxy}"),
                *("--upstream.bind-addr", f"{_HOST}:{ports.upstream}"),
                *("--admin.bind-addr", f"{_HOST}:{ports.admin}"),
                *("--cluster.gossip.bind-addr", f"{_HOST}:0"),
                *("--cluster.node-id-prefix", "demo-"),
                *("--grace-period", f"{GRACE}s"),
            ],
            ports.admin,
            "/ready",
            lambda body: True,
        ),
        Part(
            AGENT,
            [
                *(sys.executable, "-m", "pico", "agent"),
                *("--endpoints", f"{ENDPOINT}/{_HOST}:{ports.service}"),
                *("--connect.url", f"http://{_HOST}:{ports.upstream}"),
                *("--grace-period", f"{GRACE}s"),
            ],
            ports.admin,
            "/status/upstream/endpoints",
            is_registered,
        ),
    ]


def is_registered(body: bytes) -> bool:
    """
    Whether a node's answer about its endpoints names the demo's.
    """
    try:
        endpoints = json.loads(body)
    except ValueError:
        return False
    return isinstance(endpoints, dict) and bool(endpoints.get(ENDPOINT))


def environment_of(environment: Mapping[str, str]) -> dict[str, str]:
    """
    The environment of the parts: nothing that configures Pico, because the demo says all of it by flags.
    """
    kept = {name: value for name, value in environment.items() if not name.startswith("PICO_")}
    return {**kept, "PYTHONUNBUFFERED": "1"}


def fetch(port: int, path: str) -> bytes | None:
    """
    Ask a server of this machine, whatever proxy the environment names.

    :return: the body of its answer, or ``None`` if there was no answer with status 200.
    """
    connection = HTTPConnection(_HOST, port, timeout=2.0)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        body = response.read()
        return body if response.status == 200 else None
    except (OSError, HTTPException):
        return None
    finally:
        connection.close()
