"""
``pico status``: ask a node's admin port.
"""

from __future__ import annotations

import http.client
import json
from urllib.parse import urlsplit

import click
import yaml

from pico.errors import PicoError

_TIMEOUT = 15

_server_url = click.option(
    "--server.url",
    "url",
    metavar="URL",
    default="http://localhost:8002",
    show_default=True,
    help="Admin port of any node.",
)
_output = click.option(
    "-o",
    "--output",
    type=click.Choice(["yaml", "json"]),
    default="yaml",
    show_default=True,
    help="Form of the answer.",
)


@click.group("status")
def status() -> None:
    """
    Ask a node what it knows.

    \b
    Example:
      pico status cluster nodes
    """


@status.group("cluster")
def cluster() -> None:
    """
    The nodes.
    """


@status.group("proxy")
def proxy() -> None:
    """
    The proxy port's view.
    """


@status.group("upstream")
def upstream() -> None:
    """
    The upstream port's view.
    """


@cluster.command("nodes")
@_server_url
@_output
def nodes(url: str, output: str) -> None:
    """
    List the nodes, with how many endpoints and upstreams each has.

    \b
    Example:
      pico status cluster nodes --server.url http://localhost:8002
    """
    found = fetch(url, "/status/cluster/nodes")
    if isinstance(found, list):
        found = sorted(found, key=lambda node: str(node.get("id", "")) if isinstance(node, dict) else "")
    show({"nodes": found}, output)


@proxy.command("endpoints")
@_server_url
@_output
def proxy_endpoints(url: str, output: str) -> None:
    """
    List the endpoints and where their agents connect from.

    \b
    Example:
      pico status proxy endpoints
    """
    show({"endpoints": fetch(url, "/status/proxy/endpoints")}, output)


@upstream.command("endpoints")
@_server_url
@_output
def upstream_endpoints(url: str, output: str) -> None:
    """
    List the endpoints and how many tunnels each has.

    \b
    Example:
      pico status upstream endpoints
    """
    show(fetch(url, "/status/upstream/endpoints"), output)


def fetch(url: str, path: str) -> object:
    """
    Get JSON from an admin port.

    :raises PicoError: when there is none to be had, with the reason.
    """
    parts = urlsplit(url if "://" in url else f"http://{url}")
    make = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    try:
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("it must look like http://localhost:8002")
        connection = make(parts.hostname, parts.port, timeout=_TIMEOUT)
        connection.request("GET", parts.path.rstrip("/") + path, headers={"Accept": "application/json"})
        response = connection.getresponse()
        body = response.read()
    except ValueError as error:
        raise PicoError(f"--server.url {url}: {error}") from None
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise PicoError(
            f"cannot ask {url}: {str(reason).lower()}; is a node running, and is this its admin port?"
        ) from None
    if response.status != 200:
        raise PicoError(f"{url}{path}: status {response.status}; is this an admin port of Pico?")
    try:
        answer: object = json.loads(body)
    except ValueError:
        raise PicoError(f"{url}{path}: the answer is not JSON; is this an admin port of Pico?") from None
    return answer


def show(answer: object, output: str) -> None:
    """
    Print an answer.
    """
    if output == "json":
        click.echo(json.dumps(answer, indent=2))
    else:
        click.echo(yaml.safe_dump(answer, sort_keys=False, default_flow_style=False), nl=False)
