"""
Would a node give this agent a tunnel?

It is asked for one in a version of the WebSocket protocol that does not exist. A node looks at the token first and at
the version last, so its refusal says that everything before was right; and no endpoint is registered meanwhile to which
clients' requests could go.
"""

from __future__ import annotations

import http.client
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from urllib.parse import quote

import attrs

from pico.client.said import error_in, shown
from pico.client.urls import NodeURL
from pico.doctor.clocks import judge_other_clock
from pico.doctor.dial import Failed, dial
from pico.doctor.finding import Finding, fail, ok, warn
from pico.wire.websocket.handshake import make_key

#: The path at a Pico node, and at a Piko server.
_PATHS = ("/pico/v1/upstream/", "/piko/v1/upstream/")

#: No version of WebSockets has this number (RFC 6455 section 11.6), nor will one soon.
_NO_VERSION = "255"

#: Bytes of an answer that are read.
_MAX_ANSWER = 1024


@attrs.frozen
class Account:
    """
    How the agent shows who it is.
    """

    token: str = attrs.field(default="", repr=False)
    tenant_id: str = ""


@attrs.frozen
class Reply:
    """
    What the node answered.

    :ivar error: the text of it.
    :ivar version: the versions of WebSockets that it knows; empty if it does not say.
    """

    status: int
    error: str = ""
    version: str = ""
    date: str = ""


def look_at_node(url: NodeURL, limit: float) -> Iterator[Finding]:
    """
    Connect to the node, and begin TLS if its URL asks for it.
    """
    try:
        connection = _dial(url, limit, "node")
    except Failed as failed:
        yield failed.finding
        return
    with closing(connection):
        peer = connection.getpeername()[0]
    yield ok("node", f"{url.text} takes connections" + (f" at {peer}" if peer != url.host else ""))


def look_at_endpoint(
    url: NodeURL, endpoint: str, account: Account, limit: float, clock: Callable[[], float] = time.time
) -> Iterator[Finding]:
    """
    Ask the node for an endpoint's tunnel, without getting one.
    """
    subject = f"endpoint {endpoint}"
    reply = Reply(404)
    for path in _PATHS:
        try:
            reply = _ask(url, path + quote(endpoint, safe=""), account, limit)
        except Failed as failed:
            yield failed.finding
            return
        except (OSError, http.client.HTTPException) as error:
            text = (
                "no answer in time" if isinstance(error, TimeoutError) else "it closed the connection, or sent no HTTP"
            )
            yield fail(subject, f"{url.text}: {text}", _wrong_port())
            return
        if reply.status != 404:
            break
    yield judge(reply, subject, token=bool(account.token))
    yield from judge_other_clock(clock(), reply.date, "the node")


def judge(reply: Reply, subject: str, *, token: bool) -> Finding:
    """
    Judge what the node answered.

    :param token: whether it was shown one.
    """
    status = f"{reply.status} {reply.error}".strip()
    if reply.status in (400, 426) and reply.version and "this path is for" not in reply.error:
        return ok(subject, "the node would accept it")
    if reply.status == 426:
        return fail(
            subject,
            "something between here and the node drops the Upgrade header",
            "have the proxy pass it on; nginx: proxy_http_version 1.1, proxy_set_header Upgrade $http_upgrade and "
            'Connection "upgrade"',
        )
    if reply.status in (401, 403):
        advice = "ask whoever runs the node for another token, one that permits this endpoint"
        if not token:
            advice = "the node wants a token: set connect.token"
        return fail(subject, f"the node refuses: {status}", advice)
    if reply.status == 407:
        return fail(subject, f"a proxy in between refuses: {status}", "ask whoever runs it")
    if reply.status >= 500:
        return fail(
            subject,
            f"there is something at this URL, but no node behind it: {status}",
            "see whether a node runs, and whether the load balancer knows it",
        )
    if reply.status == 101:
        return warn(subject, "what answers there is no node", _wrong_port())
    return fail(subject, f"no node takes agents there: {status}", _wrong_port())


def _wrong_port() -> str:
    return "connect.url must be that of the upstream port, usually 8001, not of the proxy or admin port"


def _dial(url: NodeURL, limit: float, subject: str) -> socket.socket:
    return dial(
        url.host,
        url.port,
        secure=url.secure,
        limit=limit,
        subject=subject,
        advice="start a node there, or correct connect.url",
    )


def _ask(url: NodeURL, path: str, account: Account, limit: float) -> Reply:
    connection = http.client.HTTPConnection(url.host, url.port, timeout=limit)
    connection.sock = _dial(url, limit, "node")
    with closing(connection):
        connection.putrequest("GET", url.target(path).decode("ascii"), skip_host=True, skip_accept_encoding=True)
        for name, value in _headers(url, account).items():
            connection.putheader(name, value)
        connection.endheaders()
        response = connection.getresponse()
        body = response.read(_MAX_ANSWER) if response.status != 101 else b""
        return Reply(
            response.status,
            error_in(body) or shown(response.reason),
            response.getheader("Sec-WebSocket-Version", ""),
            response.getheader("Date", ""),
        )


def _headers(url: NodeURL, account: Account) -> Mapping[str, str]:
    headers = {
        "Host": url.authority.decode("ascii"),
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Key": make_key(bytes(16)).decode("ascii"),
        "Sec-WebSocket-Version": _NO_VERSION,
    }
    if account.token:
        headers["Authorization"] = f"Bearer {account.token}"
    if account.tenant_id:
        headers["x-piko-tenant-id"] = account.tenant_id
    return headers
