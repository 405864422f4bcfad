"""
What a dashboard is made of. Each panel answers a question, which is its title.

Queries may use ``$node`` (the ``instance`` of nodes), ``$agent`` (that of agents) and ``$endpoint``, if the dashboard
has the variable, and Grafana's ``$__rate_interval``.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs

GREEN, YELLOW, RED = "green", "yellow", "red"

#: From which value on it is which colour.
Thresholds = Sequence[tuple[float, str]]

#: Anything above zero is wrong.
NONE_WANTED: Thresholds = ((1, RED),)

#: Anything above zero is worth a look.
NONE_EXPECTED: Thresholds = ((1e-9, YELLOW),)


@attrs.frozen
class Query:
    """
    A query, and what its series are called.
    """

    text: str
    legend: str = ""


@attrs.frozen
class Panel:
    """
    One picture.

    :ivar about: what the answer means and what to do about it; shown at the panel's corner.
    :ivar kind: ``stat`` for a number, ``bargauge`` for a list of numbers, ``timeseries`` for lines.
    :ivar unit: of Grafana: ``short``, ``reqps``, ``percentunit``, ``s``, ``bytes``, ``Bps``, ``ops``.
    :ivar width: of 24.
    :ivar see: the dashboard that tells more.
    """

    title: str
    about: str
    queries: Sequence[Query]
    kind: str = "timeseries"
    unit: str = "short"
    width: int = 8
    thresholds: Thresholds = ()
    stacked: bool = False
    see: str = ""


@attrs.frozen
class Row:
    """
    Panels under one heading.
    """

    title: str
    panels: Sequence[Panel]


@attrs.frozen
class Variable:
    """
    What a reader may choose: any values of a label of a metric.
    """

    name: str
    title: str
    metric: str
    label: str


@attrs.frozen
class Dashboard:
    """
    :ivar name: of its file; in the URL it is ``pico-NAME``.
    """

    name: str
    title: str
    about: str
    variables: Sequence[Variable]
    rows: Sequence[Row]

    @property
    def panels(self) -> Sequence[Panel]:
        """
        Those of all rows.
        """
        return [panel for row in self.rows for panel in row.panels]


NODE = Variable("node", "Node", "pico_node_ready", "instance")
ENDPOINT = Variable("endpoint", "Endpoint", "pico_upstreams_endpoint_tunnels", "endpoint")
AGENT = Variable("agent", "Agent", "pico_agent_tunnels", "instance")
AGENT_ENDPOINT = Variable("endpoint", "Endpoint", "pico_agent_tunnels", "endpoint")


def number(
    title: str, about: str, text: str, *, unit: str = "short", thresholds: Thresholds = (), see: str = ""
) -> Panel:
    """
    Make a panel that is one number.
    """
    return Panel(title, about, [Query(text)], kind="stat", unit=unit, width=4, thresholds=thresholds, see=see)


def lines(title: str, about: str, *queries: tuple[str, str], unit: str = "short", width: int = 8) -> Panel:
    """
    Make a panel with lines over time.

    :param queries: and what their series are called.
    """
    return Panel(title, about, [Query(*query) for query in queries], unit=unit, width=width)


def bars(title: str, about: str, text: str, legend: str, *, unit: str = "short", thresholds: Thresholds = ()) -> Panel:
    """
    Make a panel that compares values of now.
    """
    return Panel(title, about, [Query(text, legend)], kind="bargauge", unit=unit, thresholds=thresholds)
