"""
Every query of every dashboard and alert, asked of a real Prometheus that scrapes a real cluster.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from typing import ClassVar, Final
from urllib.parse import quote

import yaml

from tests.grafana.parts import Dashboard
from tests.grafana.write import DASHBOARDS
from tests.prometheus.alerts import FOLDER, alerts
from tests.system.case import Node, Scene, SharedSceneTestCase
from tests.system.http_client import Client, NoResponse
from tests.system.processes import Program, eventually, free_port
from tests.system.prometheus import Prometheus
from tests.system.services import HTTPService

#: What Grafana puts in for its variables; what alerts look back at must have been before this test began to look.
_PUT_IN: Final = {"$node": ".*", "$agent": ".*", "$endpoint": ".*", "$__rate_interval": "30s", "offset 2m": "offset 3s"}

#: What stands in the way of an alert: nothing comes of it where all is well. Without it there is always a number.
_COMPARISON: Final = re.compile(r"\s(?:==|<|>) [\d.]+")

_CONFIG: Final = """
global:
  scrape_interval: 1s
  evaluation_interval: 1s
rule_files: [rules.yml]
scrape_configs:
  - job_name: pico
    static_configs: [{{targets: [{nodes}]}}]
  - job_name: pico-agent
    static_configs: [{{targets: [{agents}]}}]
"""


def _queries() -> Iterator[tuple[str, str]]:
    """
    All queries, with a name for each.
    """
    for dashboard in DASHBOARDS:
        for panel in dashboard.panels:
            for query in panel.queries:
                yield f"{dashboard.name}, {panel.title}", query.text
    for alert in alerts():
        yield alert.name, _COMPARISON.sub("", alert.query)


def _filled(query: str) -> str:
    for name, value in _PUT_IN.items():
        query = query.replace(name, value)
    return query


def _impatient_rules() -> str:
    """
    The alerts, each raised as soon as its condition is true.
    """
    rules = yaml.safe_load((FOLDER / "alerts.yaml").read_text(encoding="utf-8"))
    for group in rules["groups"]:
        for rule in group["rules"]:
            rule.pop("for", None)
    return str(yaml.safe_dump(rules))


class ObservingTests(SharedSceneTestCase):
    """
    Three nodes, an agent at each of two endpoints, traffic by all ways, and a Prometheus.
    """

    nodes: ClassVar[Sequence[Node]]
    agents: ClassVar[Sequence[Program]]
    prometheus: ClassVar[Prometheus]

    @classmethod
    def set_scene(cls, scene: Scene) -> None:
        service = scene.run(HTTPService("s"))
        first = scene.node({"cluster.node_id_prefix": "one-"})
        join = {"cluster.join": f"127.0.0.1:{first.gossip}"}
        cls.nodes = [first, *(scene.node({"cluster.node_id_prefix": f"{name}-", **join}) for name in ("two", "three"))]
        ports = []
        cls.agents = []
        # The second one's service is down.
        for node, endpoint, port in ((first, "e", service.port), (cls.nodes[1], "down", free_port())):
            agent = scene.agent(
                node, endpoint, port, {"server.enabled": None, "server.bind_addr": "127.0.0.1:0"}, connected=1
            )
            ports.append(int(agent.wait_for_log(r"health and metrics: 127\.0\.0\.1:(\d+)").group(1)))
            cls.agents = [*cls.agents, agent]
        (scene.directory / "rules.yml").write_text(_impatient_rules())
        targets = [", ".join(f'"127.0.0.1:{port}"' for port in each) for each in ([n.admin for n in cls.nodes], ports)]
        cls.prometheus = Prometheus(scene, _CONFIG.format(nodes=targets[0], agents=targets[1]))

    def values(self, query: str) -> Sequence[float]:
        """
        The values of the series that come of a query now.
        """
        result = self.prometheus.ask(f"/api/v1/query?query={quote(query)}")["result"]
        assert isinstance(result, list)
        return [float(series["value"][1]) for series in result]

    def raised(self) -> set[str]:
        """
        The names of the alerts that are raised.
        """
        found = self.prometheus.ask("/api/v1/alerts")["alerts"]
        assert isinstance(found, list)
        return {alert["labels"]["alertname"] for alert in found}

    def make_traffic(self) -> None:
        """
        All kinds of it, to every node: for tunnels there and elsewhere, for a service that is down, for nobody, bytes
        that are no request, and a tunnel that is refused.
        """
        for node in self.nodes:
            node.fetch("/x", endpoint="e")
            node.fetch("/x", "POST", endpoint="e", body=b"x" * 5000)
            node.fetch("/x", endpoint="down")
            node.fetch("/x", endpoint="nobody")
            with Client(node.proxy) as client:
                client.send(b"nonsense\r\n\r\n")
                client.response()
            with Client(node.upstream) as client:
                client.send(b"GET /pico/v1/upstream/e HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                try:
                    client.response()
                except NoResponse:
                    pass

    def test_answers(self) -> None:
        """
        There is an answer to each question, in finite numbers.
        """
        self._wait_for_scrapes()
        for name, query in _queries():
            asked = _filled(query)

            def answered(asked: str = asked) -> bool:
                self.make_traffic()
                values = self.values(asked)
                return bool(values) and all(math.isfinite(value) for value in values)

            eventually(answered, f"{name}: {asked}", interval=0.3)

    def test_choices(self) -> None:
        """
        There is something to choose for each variable.
        """
        self._wait_for_scrapes()
        for dashboard in DASHBOARDS:
            for variable in dashboard.variables:

                def chosen(metric: str = variable.metric, label: str = variable.label) -> bool:
                    return bool(self.values(f"count by ({label}) ({metric})"))

                eventually(chosen, f"{dashboard.name}, {variable.title}")

    def test_where_it_fails(self) -> None:
        """
        A service that is down, and an endpoint that nobody serves, are not taken for a node that is; a node that is
        killed is.
        """
        self._wait_for_scrapes()
        cluster = next(each for each in DASHBOARDS if each.name == "cluster")

        def blamed() -> tuple[bool, ...]:
            self.make_traffic()
            return tuple(
                self._value(cluster, title) > 0
                for title in ("Failed for the service", "Failed for the tunnel", "Failed for a node")
            )

        eventually(lambda: blamed() == (True, True, False), "service and tunnel to be blamed, and no node")
        eventually(lambda: "PicoFailures" in self.raised(), "the alert")

        def spared() -> bool:
            # A machine that is overloaded for a moment is a node that is gone for a moment.
            titles = ("Nodes that take no traffic", "Nodes that do not answer", "Nodes that others do not reach")
            wrong = {"PicoNodeDown", "PicoNodeNotReady", "PicoClusterSplit"}
            return not any(self._value(cluster, title) for title in titles) and not self.raised() & wrong

        eventually(spared, "no node to be blamed")

        self.nodes[2].program.kill()
        try:
            wanted = {"PicoNodeDown", "PicoNodeUnreachable"}
            eventually(lambda: wanted <= self.raised(), "alerts of a node that is gone")
            eventually(lambda: self._value(cluster, "Nodes that others do not reach") == 1, "the panel to say so")
            eventually(lambda: self._value(cluster, "Nodes that do not answer") == 1, "that one, too")
        finally:
            self.nodes[2].restart()

    def _value(self, dashboard: Dashboard, title: str) -> float:
        (panel,) = (each for each in dashboard.panels if each.title == title)
        values = self.values(_filled(panel.queries[0].text))
        # There is none until there were two scrapes.
        assert len(values) == 1, f"{title}: {values}"
        return values[0]

    def _wait_for_scrapes(self) -> None:
        def up() -> bool:
            return sorted(self.values("up")) == [1.0] * (len(self.nodes) + len(self.agents))

        eventually(up, "all to be scraped")
