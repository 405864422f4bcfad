"""
The demonstration for Compose: every name in it is one that the tree has.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TypeVar

import click
from twisted.trial.unittest import SynchronousTestCase

from pico.cli.main import pico
from pico.config.agent import AgentConfig
from pico.config.load import Loaded, load
from pico.config.server import ServerConfig
from pico.config.units import parse_duration
from tests.deploy.compose import DEMO, environment, interpolated, mapping, read, services, strings

ROOT = Path(__file__).parents[2]

NODES = ("pico-1", "pico-2", "pico-3")

Service = Mapping[str, object]

Config = TypeVar("Config", ServerConfig, AgentConfig)


class ComposeTestCase(SynchronousTestCase):
    """
    Tests of the file.
    """

    services: Mapping[str, Service]

    def setUp(self) -> None:
        """
        Read it.
        """
        self.document = read("compose.yaml")
        self.services = services()

    def environment(self, service: str) -> dict[str, str]:
        """
        A service's variables.
        """
        return environment(self.services[service])

    def ours(self) -> Iterator[tuple[str, Service]]:
        """
        Services that run our image.
        """
        for name, service in self.services.items():
            if "build" in service:
                yield name, service


class ServicesTests(ComposeTestCase):
    """
    What runs.
    """

    def test_images(self) -> None:
        """
        Our image is made from this tree, under one name; others have a version.
        """
        ours = dict(self.ours())
        self.assertEqual(set(ours), {*NODES, "sample", "agent"})
        self.assertEqual({service["image"] for service in ours.values()}, {"pico:demo"})
        for service in ours.values():
            context = DEMO / str(mapping(service["build"])["context"])
            self.assertTrue((context / "Dockerfile").is_file())
        for name in self.services.keys() - ours.keys():
            self.assertRegex(str(self.services[name]["image"]), r"^[a-z/]+:v?\d+\.\d+(\.\d+)?(-alpine)?$")

    def test_paths(self) -> None:
        """
        What is mounted is there, and cannot be written; else it is a volume that is declared.
        """
        volumes = mapping(self.document["volumes"])
        for name, service in self.services.items():
            for mount in strings(service.get("volumes", [])):
                source, target, *mode = mount.split(":")
                if source.startswith("."):
                    self.assertTrue((DEMO / source).exists(), f"{name}: {source}")
                    # Docker makes a directory in the place of what is not there.
                    self.assertEqual((DEMO / source).is_file(), "." in Path(target).name, mount)
                    self.assertEqual(mode, ["ro"], mount)
                else:
                    self.assertIn(source, volumes)

    def test_ports(self) -> None:
        """
        The ports are those that everybody expects, on this machine only, and the nodes' are not among them.
        """
        published: dict[str, list[str]] = {}
        for name, service in self.services.items():
            for port in strings(service.get("ports", [])):
                address, outside, inside = interpolated(port).split(":")
                self.assertEqual((address, outside), ("127.0.0.1", inside))
                published.setdefault(name, []).append(outside)
        self.assertEqual(published, {"nginx": ["8000", "8001", "8002"], "prometheus": ["9090"], "grafana": ["3000"]})

    def test_dependencies(self) -> None:
        """
        Who waits for somebody waits for one who is there, and has a health check if it must be healthy.
        """
        for name, service in self.services.items():
            wanted = service.get("depends_on", {})
            conditions = wanted if isinstance(wanted, dict) else {each: {} for each in strings(wanted)}
            for other, condition in conditions.items():
                self.assertIn(other, self.services, name)
                if condition.get("condition") == "service_healthy":
                    self.assertIn("test", mapping(self.services[other]["healthcheck"]), other)
            mode = str(service.get("network_mode", "service:sample"))
            self.assertIn(mode.removeprefix("service:"), self.services)

    def test_optional(self) -> None:
        """
        Only the sample has to be asked for.
        """
        optional = {name: service["profiles"] for name, service in self.services.items() if "profiles" in service}
        self.assertEqual(optional, {"sample": ["sample"], "agent": ["sample"]})

    def test_commands(self) -> None:
        """
        Every command and every health check of ours is a command line that Pico takes.
        """
        lines = [["server"]]
        for _, service in self.ours():
            if "entrypoint" not in service:
                lines.append(strings(service.get("command", ["server"])))
            check = mapping(service["healthcheck"])
            if "test" in check:
                form, program, *words = strings(check["test"])
                self.assertEqual((form, program), ("CMD", "pico"))
                lines.append(words)
        self.assertEqual(len(lines), 9)
        for line in lines:
            _parse(line)
        self.assertRaises(click.UsageError, _parse, ["health", "--redy"])
        self.assertEqual(strings(self.services["sample"]["entrypoint"]), ["python", "-m", "pico.demo.service"])
        self.assertTrue((ROOT / "pico" / "demo" / "service.py").is_file())


class SettingsTests(ComposeTestCase):
    """
    What the services are told.
    """

    def node(self, name: str) -> ServerConfig:
        """
        The configuration that a node has.
        """
        return _loaded(load(ServerConfig, environment=self.environment(name)))

    def test_nodes(self) -> None:
        """
        The nodes have names of their own, one secret, and look for each other on the port on which they listen.
        """
        nodes = [self.node(name) for name in NODES]
        self.assertEqual([node.cluster.node_id_prefix for node in nodes], ["pico-1-", "pico-2-", "pico-3-"])
        self.assertEqual(len({str(self.environment(name)["PICO_CLUSTER__SECRET_KEYS"]) for name in NODES}), 1)
        for node in nodes:
            self.assertEqual(tuple(map(str, node.cluster.join)), NODES)
            self.assertEqual(len(node.cluster.secret_keys), 1)

    def test_time_to_stop(self) -> None:
        """
        Nobody is killed who still drains.
        """
        for name in NODES:
            node = self.node(name)
            patience = parse_duration(str(self.services[name]["stop_grace_period"]))
            self.assertLess(node.drain_delay + node.grace_period, patience)
        agent = _loaded(load(AgentConfig, environment=self.environment("agent")))
        self.assertLess(agent.grace_period, parse_duration(str(self.services["agent"]["stop_grace_period"])))

    def test_agent(self) -> None:
        """
        The agent dials the load balancer, and is asked for its health where it offers it.
        """
        environment = self.environment("agent")
        self.assertEqual(environment["PICO_CONNECT__URL"], "http://nginx:8001")
        agent = _loaded(load(AgentConfig, environment=environment))
        self.assertEqual(agent.connections, 2)
        self.assertTrue(agent.server.enabled)
        port = str(agent.server.bind_addr).rpartition(":")[2]
        check = strings(mapping(self.services["agent"]["healthcheck"])["test"])
        self.assertEqual(check[-1], f"http://localhost:{port}")
        (service,) = strings(self.services["sample"]["command"])
        self.assertEqual(strings(self.services["agent"]["command"])[-1], f"localhost:{service}")


class NginxTests(ComposeTestCase):
    """
    What the load balancer knows of the nodes.
    """

    def test_ports(self) -> None:
        """
        It listens where Compose says, and passes on to the port of the nodes that has the same number.
        """
        text = (DEMO / "nginx.conf").read_text(encoding="utf-8")
        config = ServerConfig()
        ports = [
            str(address).rpartition(":")[2]
            for address in (config.proxy.bind_addr, config.upstream.bind_addr, config.admin.bind_addr)
        ]
        self.assertEqual(re.findall(r"^ +listen (\d+)", text, re.MULTILINE), ports)
        inside = [interpolated(port).split(":")[2] for port in strings(self.services["nginx"]["ports"])]
        self.assertEqual(inside, ports)
        expected = [(node, port) for port in ports for node in NODES]
        self.assertEqual(re.findall(r"^ +server ([a-z0-9-]+):(\d+);", text, re.MULTILINE), expected)


class WatchingTests(ComposeTestCase):
    """
    Prometheus and Grafana.
    """

    def test_targets(self) -> None:
        """
        Each node is scraped on its admin port, and the agent on its own.
        """
        jobs = {str(job["job_name"]): job for job in map(mapping, _list(read("prometheus.yml")["scrape_configs"]))}
        self.assertEqual(set(jobs), {"pico", "pico-agent"})
        (static,) = map(mapping, _list(jobs["pico"]["static_configs"]))
        port = str(ServerConfig().admin.bind_addr).rpartition(":")[2]
        self.assertEqual(strings(static["targets"]), [f"{node}:{port}" for node in NODES])
        (found,) = map(mapping, _list(jobs["pico-agent"]["dns_sd_configs"]))
        self.assertEqual(
            strings(found["names"]), [str(self.services["agent"]["network_mode"]).removeprefix("service:")]
        )
        self.assertEqual(f":{found['port']}", self.environment("agent")["PICO_SERVER__BIND_ADDR"])

    def test_rules(self) -> None:
        """
        Alert rules are read from what is mounted.
        """
        (path,) = strings(read("prometheus.yml")["rule_files"])
        self.assertIn(f"../prometheus:{Path(path).parent}:ro", strings(self.services["prometheus"]["volumes"]))

    def test_grafana(self) -> None:
        """
        Grafana finds Prometheus under its name, and the dashboards where they are mounted.
        """
        (source,) = map(mapping, _list(read("grafana/provisioning/datasources/prometheus.yaml")["datasources"]))
        port = interpolated(strings(self.services["prometheus"]["ports"])[0]).split(":")[2]
        self.assertEqual(source["url"], f"http://prometheus:{port}")
        scraping = mapping(read("prometheus.yml")["global"])
        self.assertEqual(mapping(source["jsonData"])["timeInterval"], scraping["scrape_interval"])
        (provider,) = map(mapping, _list(read("grafana/provisioning/dashboards/pico.yaml")["providers"]))
        path = str(mapping(provider["options"])["path"])
        mounts = dict(mount.split(":")[1::-1] for mount in strings(self.services["grafana"]["volumes"]))
        self.assertEqual(mounts[str(Path(path).parent)], "../grafana")


def _list(value: object) -> list[object]:
    assert isinstance(value, list), value
    return value


def _loaded(loaded: Loaded[Config]) -> Config:
    assert not loaded.warnings, loaded.warnings
    return loaded.config


def _parse(words: list[str]) -> None:
    """
    Have a command line understood, and do nothing.
    """
    command: click.Command = pico
    context = click.Context(pico)
    while isinstance(command, click.Group):
        name, found, words = command.resolve_command(context, words)
        assert found is not None
        command, context = found, click.Context(found, context, info_name=name)
    with command.make_context(command.name, list(words)):
        pass
