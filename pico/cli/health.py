"""
``pico health``: for whoever watches over a process and understands nothing but exit statuses.
"""

from __future__ import annotations

import click

from pico.cli.command import Command, Option
from pico.cli.status_client import fetch, parse_admin_url, route
from pico.config.units import parse_duration


@click.command("health", cls=Command)
@click.option("--ready", cls=Option, is_flag=True, help="Ask whether it takes traffic, too, not only whether it lives.")
@click.option(
    "--server.url",
    "url",
    cls=Option,
    metavar="URL",
    default="http://localhost:8002",
    show_default=True,
    help="A node's admin port, or an agent's own port (http://localhost:5000).",
)
@click.option(
    "--timeout",
    cls=Option,
    metavar="DURATION",
    default="3s",
    show_default=True,
    help="How long to wait for an answer.",
)
def health(ready: bool, url: str, timeout: str) -> None:
    """
    Ask a node or an agent whether it is well.

    Exit status 0 if it is, 1 if it is not or does not answer, with the reason on standard error. Made for containers:
    a health check needs no other program than this one.

    \b
    Example:
      pico health --ready
    """
    try:
        where, seconds = parse_admin_url(url), parse_duration(timeout)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    if seconds <= 0:
        raise click.UsageError(f"--timeout {timeout} leaves no time for an answer")
    fetch(where, route("ready" if ready else "health"), seconds)
    click.echo("ready" if ready else "healthy")
