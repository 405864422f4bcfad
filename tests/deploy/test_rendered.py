"""
What the charts tell Kubernetes fits together, and is what Pico understands.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import cast

import yaml
from twisted.trial.unittest import SynchronousTestCase

from pico.config.agent import AgentConfig
from pico.config.load import load
from pico.config.secret import ReadSecret, SecretFile
from pico.config.server import ServerConfig
from pico.config.units import parse_duration
from tests.deploy.charts import CHARTS, DIGEST, ETC, HELM, KEY, NAMESPACE, RENDERINGS, Rendering, digest
from tests.deploy.pods import Pod, of_kind, part, parts, pods

_DASHBOARDS = (HELM / "pico" / "files" / "dashboards", ETC / "grafana" / "dashboards")
_NODES = [each for each in RENDERINGS if each.chart == "pico"]
_AGENTS = [each for each in RENDERINGS if each.chart == "pico-agent"]


def _pod(rendering: Rendering) -> Pod:
    return pods(rendering.manifests())[0]


def _reader(pod: Pod) -> ReadSecret:
    return lambda path: SecretFile(pod.files[path])


def _seconds(value: object) -> float:
    return float(str(value))


class ChartTests(SynchronousTestCase):
    """
    ``etc/helm``.
    """

    def test_rendered(self) -> None:
        """
        What the tests look at was made of the charts as they are.
        """
        self.assertEqual(DIGEST.read_text().strip(), digest(), "the charts have changed: run make helm-rendered")

    def test_values(self) -> None:
        """
        Each value is in the schema, and each that the schema knows is shown with a default.
        """
        for chart in CHARTS:
            text = (HELM / chart / "values.yaml").read_text(encoding="utf-8")
            schema = json.loads((HELM / chart / "values.schema.json").read_text(encoding="utf-8"))
            shown = set(_shown(yaml.safe_load(text), schema))
            self.assertEqual(shown, set(_allowed(schema)) - {"global"}, chart)

    def test_one_source(self) -> None:
        """
        The chart has the dashboards and alerts that the tree has.
        """
        files = HELM / "pico" / "files"
        self.assertEqual((files / "alerts.yaml").read_bytes(), (ETC / "prometheus" / "alerts.yaml").read_bytes())
        dashboards = [{path.name: path.read_bytes() for path in folder.iterdir()} for folder in _DASHBOARDS]
        self.assertEqual(dashboards[0], dashboards[1])


class NodeTests(SynchronousTestCase):
    """
    Nodes.
    """

    def test_settings(self) -> None:
        """
        The node understands its settings; all of them come from where the chart puts them.
        """
        for rendering in _NODES:
            pod = _pod(rendering)
            self.assertEqual(pod.arguments, ["server", "--config.path=/etc/pico/pico.yaml"])
            loaded = load(
                ServerConfig,
                yaml_text=pod.files["/etc/pico/pico.yaml"],
                yaml_source="pico.yaml",
                environment=pod.environment,
                read_secret=_reader(pod),
            )
            self.assertEqual(loaded.warnings, [])
            config = loaded.config
            self.assertEqual(config.cluster.node_id_prefix, f"{pod.name}-")
            self.assertEqual(config.cluster.secret_keys, (KEY,))

    def test_ports(self) -> None:
        """
        The ports that the container shows are those that the node listens on.
        """
        for rendering in _NODES:
            pod = _pod(rendering)
            ports = {part(each, "name"): part(each, "containerPort") for each in parts(pod.container, "ports")}
            for name, variable in (
                ("proxy", "PICO_PROXY__BIND_ADDR"),
                ("upstream", "PICO_UPSTREAM__BIND_ADDR"),
                ("admin", "PICO_ADMIN__BIND_ADDR"),
                ("gossip", "PICO_CLUSTER__GOSSIP__BIND_ADDR"),
                ("link", "PICO_CLUSTER__GOSSIP__BIND_ADDR"),
            ):
                self.assertEqual(pod.environment[variable], f":{ports[name]}")

    def test_stopping(self) -> None:
        """
        Kubernetes waits for longer than a node takes to stop.
        """
        for rendering in _NODES:
            pod = _pod(rendering)
            takes = sum(parse_duration(pod.environment[name]) for name in ("PICO_DRAIN_DELAY", "PICO_GRACE_PERIOD"))
            self.assertGreaterEqual(_seconds(part(pod.spec, "terminationGracePeriodSeconds")), takes + 10)

    def test_found(self) -> None:
        """
        Nodes look for each other where those that are not ready are found as well.
        """
        for rendering in _NODES:
            manifests = rendering.manifests()
            (owner,) = of_kind(manifests, "StatefulSet")
            (service,) = [
                each
                for each in of_kind(manifests, "Service")
                if part(each, "metadata", "name") == part(owner, "spec", "serviceName")
            ]
            name = part(service, "metadata", "name")
            self.assertEqual(_pod(rendering).environment["PICO_CLUSTER__JOIN"], f"{name}.{NAMESPACE}.svc:8003")
            self.assertEqual(part(service, "spec", "clusterIP"), "None")
            self.assertIs(part(service, "spec", "publishNotReadyAddresses"), True)
            ports = {(part(each, "port"), part(each, "protocol")) for each in parts(service, "spec", "ports")}
            self.assertLess({(8003, "UDP"), (8003, "TCP")}, ports)

    def test_let_in(self) -> None:
        """
        The network lets nodes reach each other, and whoever was named, at ports that there are.
        """
        for rendering in _NODES:
            (policy,) = of_kind(rendering.manifests(), "NetworkPolicy")
            names = {part(each, "name") for each in parts(_pod(rendering).container, "ports")}
            first, *others = parts(policy, "spec", "ingress")
            among = [(part(each, "port"), part(each, "protocol")) for each in parts(first, "ports")]
            self.assertEqual(among, [(8003, "UDP"), (8003, "TCP"), ("admin", "TCP")])
            (peer,) = parts(first, "from")
            self.assertEqual(
                part(peer, "podSelector", "matchLabels"), part(policy, "spec", "podSelector", "matchLabels")
            )
            for rule in others:
                self.assertLess({part(each, "port") for each in parts(rule, "ports")}, names)
            # With an empty list nobody is let in, with null everybody.
            opened = [(part(each, "ports", 0, "port"), len(parts(each, "from"))) for each in others]
            expected = [("proxy", 1), ("admin", 1)] if rendering.full else [("proxy", 0), ("upstream", 0), ("admin", 1)]
            self.assertEqual(opened, expected)

    def test_scraped(self) -> None:
        """
        The Prometheus operator finds every node, ready or not, and calls it as the alerts do.
        """
        manifests = _NODES[1].manifests()
        (monitor,) = of_kind(manifests, "ServiceMonitor")
        wanted = cast("Mapping[str, str]", part(monitor, "spec", "selector", "matchLabels"))
        (service,) = [
            each
            for each in of_kind(manifests, "Service")
            if wanted.items() <= cast("Mapping[str, str]", part(each, "metadata", "labels")).items()
        ]
        self.assertIs(part(service, "spec", "publishNotReadyAddresses"), True)
        (endpoint,) = parts(monitor, "spec", "endpoints")
        self.assertIn(part(endpoint, "port"), {part(each, "name") for each in parts(service, "spec", "ports")})
        self.assertIn({"targetLabel": "job", "replacement": "pico"}, parts(endpoint, "relabelings"))

    def test_optional(self) -> None:
        """
        What is off is not there, what is on is.
        """
        kinds = [{str(each["kind"]) for each in rendering.manifests()} for rendering in _NODES]
        self.assertEqual(
            kinds[0],
            {"StatefulSet", "Service", "ConfigMap", "Secret", "ServiceAccount", "PodDisruptionBudget", "NetworkPolicy"},
        )
        self.assertEqual(kinds[1], kinds[0] - {"Secret"} | {"Ingress", "ServiceMonitor", "PrometheusRule"})


class AgentTests(SynchronousTestCase):
    """
    Agents.
    """

    def test_settings(self) -> None:
        """
        The agent understands its settings, and listens where Kubernetes asks.
        """
        for rendering in _AGENTS:
            pod = _pod(rendering)
            self.assertEqual(pod.arguments, ["agent", "start", "--config.path=/etc/pico/agent.yaml"])
            loaded = load(
                AgentConfig,
                yaml_text=pod.files["/etc/pico/agent.yaml"],
                yaml_source="agent.yaml",
                environment=pod.environment,
                read_secret=_reader(pod),
            )
            self.assertEqual(loaded.warnings, [])
            config = loaded.config
            (port,) = parts(pod.container, "ports")
            self.assertEqual(
                (config.server.enabled, config.server.bind_addr), (True, f":{part(port, 'containerPort')}")
            )
            self.assertEqual(config.connect.token, KEY if rendering.full else "")
            self.assertEqual(config.connections, 3 if rendering.full else 2)
            endpoints = ["shop", "api"] if rendering.full else ["my-endpoint"]
            self.assertEqual([listener.endpoint_id for listener in config.listeners], endpoints)

    def test_stopping(self) -> None:
        """
        Kubernetes waits for longer than an agent takes to stop.
        """
        for rendering in _AGENTS:
            pod = _pod(rendering)
            takes = re.search(r"^grace_period: (\w+)$", pod.files["/etc/pico/agent.yaml"], re.MULTILINE)
            assert takes is not None
            self.assertGreaterEqual(
                _seconds(part(pod.spec, "terminationGracePeriodSeconds")), parse_duration(takes[1]) + 10
            )


class PodTests(SynchronousTestCase):
    """
    What is true of all pods.
    """

    def test_locked_in(self) -> None:
        """
        They run as nobody, write nowhere, hold no right and no token, and get no variables of services.
        """
        for rendering in RENDERINGS:
            pod = _pod(rendering)
            self.assertEqual(
                [part(pod.spec, "automountServiceAccountToken"), part(pod.spec, "enableServiceLinks")], [False, False]
            )
            self.assertIs(part(pod.spec, "securityContext", "runAsNonRoot"), True)
            locked = part(pod.container, "securityContext")
            self.assertEqual(
                locked,
                {
                    "allowPrivilegeEscalation": False,
                    "readOnlyRootFilesystem": True,
                    "capabilities": {"drop": ["ALL"]},
                },
            )

    def test_secrets(self) -> None:
        """
        Secrets are not in variables, and not for everybody to read.
        """
        for rendering in RENDERINGS:
            pod = _pod(rendering)
            for volume in parts(pod.spec, "volumes"):
                if "secret" in cast("Mapping[str, object]", volume):
                    self.assertEqual(part(volume, "secret", "defaultMode"), 0o440)
            self.assertNotIn(KEY, str(pod.environment))

    def test_probes(self) -> None:
        """
        Liveness asks whether it answers, readiness whether it takes traffic, at a port that there is.
        """
        for rendering in RENDERINGS:
            pod = _pod(rendering)
            names = {part(each, "name") for each in parts(pod.container, "ports")}
            for probe, path in (("livenessProbe", "/health"), ("readinessProbe", "/ready")):
                self.assertEqual(part(pod.container, probe, "httpGet", "path"), path)
                self.assertIn(part(pod.container, probe, "httpGet", "port"), names)

    def test_selected(self) -> None:
        """
        Whoever selects pods selects those of the release: services, budgets, policies, spread; services lead to ports
        that there are.
        """
        for rendering in RENDERINGS:
            manifests = rendering.manifests()
            (owner,) = [*of_kind(manifests, "StatefulSet"), *of_kind(manifests, "Deployment")]
            selector = part(owner, "spec", "selector", "matchLabels")
            labels = cast("Mapping[str, str]", part(owner, "spec", "template", "metadata", "labels"))
            self.assertLessEqual(cast("Mapping[str, str]", selector).items(), labels.items())
            ports = parts(_pod(rendering).container, "ports")
            names = {part(each, key) for each in ports for key in ("name", "containerPort")}
            for service in of_kind(manifests, "Service"):
                self.assertEqual(part(service, "spec", "selector"), selector)
                self.assertLessEqual({part(each, "targetPort") for each in parts(service, "spec", "ports")}, names)
            for budget in of_kind(manifests, "PodDisruptionBudget"):
                self.assertEqual(part(budget, "spec", "selector", "matchLabels"), selector)
            for spread in parts(_pod(rendering).spec, "topologySpreadConstraints"):
                self.assertEqual(part(spread, "labelSelector", "matchLabels"), selector)
            for each in manifests:
                self.assertEqual(part(each, "metadata", "namespace"), NAMESPACE)

    def test_backends(self) -> None:
        """
        An ingress leads to a service of the release, by a port that this has.
        """
        manifests = _NODES[1].manifests()
        services = {part(each, "metadata", "name"): each for each in of_kind(manifests, "Service")}
        ingresses = of_kind(manifests, "Ingress")
        self.assertEqual(len(ingresses), 2)
        for ingress in ingresses:
            backend = part(ingress, "spec", "rules", 0, "http", "paths", 0, "backend", "service")
            ports = {part(each, "name") for each in parts(services[part(backend, "name")], "spec", "ports")}
            self.assertIn(part(backend, "port", "name"), ports)


def _shown(values: Mapping[str, object], schema: Mapping[str, object], path: str = "") -> Iterator[str]:
    """
    The paths of values, as deep as the schema goes.
    """
    properties = cast("Mapping[str, Mapping[str, object]]", schema["properties"])
    for name, value in values.items():
        yield f"{path}{name}"
        inner = properties.get(name, {})
        if isinstance(value, dict) and "properties" in inner:
            yield from _shown(value, inner, f"{path}{name}.")


def _allowed(schema: Mapping[str, object], path: str = "") -> Iterator[str]:
    for name, inner in cast("Mapping[str, Mapping[str, object]]", schema["properties"]).items():
        yield f"{path}{name}"
        if "properties" in inner:
            yield from _allowed(inner, f"{path}{name}.")
