"""
What the Helm charts tell Kubernetes: looked at with its own schemas, and each container started as a kubelet would.
"""

from __future__ import annotations

import functools
import re
import sys
from collections.abc import Mapping
from pathlib import Path

import attrs

from tests.deploy.charts import RENDERINGS
from tests.deploy.pods import Pod, part, parts, pods
from tests.system.case import Node, SystemTestCase, run
from tests.system.http_client import Client, fetch
from tests.system.processes import PICO, Program, eventually, free_port
from tests.system.services import HTTPService

_NODES = [each for each in RENDERINGS if each.chart == "pico"]
_AGENTS = [each for each in RENDERINGS if each.chart == "pico-agent"]

#: The oldest that the charts are for, the one that they are rendered for, and one that was new when this was written.
_VERSIONS = ("1.25", "1.31", "1.34")


#: Of nodes, as agents of both renderings are told.
_URLS = ("http://pico-upstream:8001", "https://one.example.com", "https://two.example.com")


class SchemaTests(SystemTestCase):
    """
    The manifests.
    """

    def test_schemas(self) -> None:
        """
        Kubernetes knows all that is said, and nothing is misspelt. Only resources of the Prometheus operator are not
        its own.
        """
        program = Path(sys.executable).with_name("kubernetes-validate")
        self.assertTrue(program.exists(), "there is no kubernetes-validate: make system installs it")
        for version in _VERSIONS:
            for rendering in RENDERINGS:
                looked = run([str(program), "--strict", "-k", version, str(rendering.path)])
                said = looked.stdout + looked.stderr
                self.assertEqual(looked.returncode, 0, said)
                unknown = [line for line in said.splitlines() if not line.startswith("INFO")]
                self.assertEqual([line for line in unknown if "api version monitoring.coreos.com/v1" not in line], [])
                self.assertEqual(said.count(" passed for resource "), len(rendering.manifests()) - len(unknown), said)


@attrs.frozen
class Running:
    """
    A pod's container.

    :ivar ports: by the names that the manifest gives them.
    """

    pod: Pod
    program: Program
    ports: Mapping[str, int]

    def passes(self, probe: str) -> bool:
        """
        Do what a probe of the manifest does.
        """
        asked = part(self.pod.container, probe, "httpGet")
        with Client(self.ports[str(part(asked, "port"))]) as client:
            client.send(f"GET {part(asked, 'path')} HTTP/1.1\r\nHost: pod\r\nConnection: close\r\n\r\n".encode())
            return client.response().status == 200

    def wait_for(self, *probes: str) -> None:
        """
        Wait until probes pass, one after the other.
        """
        for probe in probes:
            eventually(functools.partial(self.passes, probe), f"{probe} of {self.pod.name} to pass")


class PodTestCase(SystemTestCase):
    """
    Starts containers.
    """

    def start(
        self,
        pod: Pod,
        *,
        variables: Mapping[str, str] | None = None,
        replaced: Mapping[str, str] | None = None,
        gossip: int | None = None,
    ) -> Running:
        """
        Start a container: with its arguments, its variables and its files, but for what is of another machine.

        :param variables: that are others here.
        :param replaced: addresses in files that are others here.
        :param gossip: its port for other nodes; all others are free ones.
        """
        chosen = {str(part(each, "name")): free_port() for each in parts(pod.container, "ports")}
        if "gossip" in chosen:
            chosen["gossip"] = chosen["link"] = gossip or chosen["gossip"]
        root = self.scene.directory / f"pod-{len(list(self.scene.directory.iterdir()))}"
        changes = {"/etc/pico": str(root), **(replaced or {})}
        numbers = {
            str(part(each, "containerPort")): chosen[str(part(each, "name"))] for each in parts(pod.container, "ports")
        }

        def here(text: str) -> str:
            for old, new in changes.items():
                text = text.replace(old, new)
            for old, number in numbers.items():
                # As the manifests write an address of all interfaces.
                text = f"127.0.0.1:{number}" if text == f":{old}" else text.replace(f"':{old}'", f"127.0.0.1:{number}")
                text = text.replace(f": :{old}\n", f": 127.0.0.1:{number}\n")
            return text

        for path, text in pod.files.items():
            file = root / Path(path).relative_to("/etc/pico")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(here(text))
            file.chmod(0o440)
        environment = {name: here(value) for name, value in {**pod.environment, **(variables or {})}.items()}
        program = self.scene.start(pod.name, [*PICO, *map(here, pod.arguments)], environment=environment)
        return Running(pod, program, chosen)


class NodeTests(PodTestCase):
    """
    Nodes of both renderings.
    """

    def test_together(self) -> None:
        """
        Pods whose name leads to all of them are alive, become ready, know each other, carry each other's traffic, and
        stop in the time that they are given.
        """
        service = self.scene.run(HTTPService("s"))
        for rendering in _NODES:
            first, second = pods(rendering.manifests())[:2]
            gossip = [free_port(), free_port()]
            variables = {"PICO_CLUSTER__JOIN": ",".join(f"127.0.0.1:{port}" for port in gossip)}
            # What is waited for is that load balancers notice.
            variables["PICO_DRAIN_DELAY"] = "1s"
            running = [
                self.start(pod, variables=variables, gossip=port)
                for pod, port in zip((first, second), gossip, strict=True)
            ]
            for pod, node in zip((first, second), running, strict=True):
                node.program.wait_for_log(f"pico node {pod.name}-")
                node.wait_for("startupProbe", "livenessProbe", "readinessProbe")
                # Settings are what "main" warns of, and a machine that allows few files.
                warnings = [line for line in node.program.log.splitlines() if re.search(r"\bwarn\b.*\bmain\b", line)]
                self.assertEqual([line for line in warnings if "open files" not in line], [])
            self.scene.agent(running[0].ports["upstream"], "e", service.port)

            def answered(port: int = running[1].ports["proxy"]) -> bool:
                return fetch(port, "/x", endpoint="e").status == 200

            eventually(answered, "a request over both nodes")
            if rendering.full:
                hook = [str(each) for each in parts(first.container, "lifecycle", "preStop", "exec", "command")]
                self.assertEqual(hook[0], "pico")
                asked = run([*PICO, *hook[1:], f"--server.url=http://127.0.0.1:{running[0].ports['admin']}"])
                self.assertEqual(asked.returncode, 0, asked.stderr)
            for node in running:
                node.program.terminate()
            self.assertEqual([node.program.wait() for node in running], [0, 0])

    def test_first_alone(self) -> None:
        """
        The first pod of all, whose name leads to itself alone, is ready.
        """
        for rendering in _NODES:
            pod = pods(rendering.manifests())[0]
            gossip = free_port()
            node = self.start(pod, variables={"PICO_CLUSTER__JOIN": f"127.0.0.1:{gossip}"}, gossip=gossip)
            node.wait_for("readinessProbe")

    def test_name_leads_nowhere(self) -> None:
        """
        A pod whose name has no address yet is alive and not ready; it ends after its time with a line that says why.
        """
        for rendering in _NODES:
            pod = pods(rendering.manifests())[0]
            # A name that no machine can know (RFC 6761 §6.4).
            variables = {"PICO_CLUSTER__JOIN": "pico.invalid:8003"}
            patient = self.start(pod, variables=variables)
            patient.wait_for("livenessProbe")
            self.assertFalse(patient.passes("readinessProbe"))
            hasty = self.start(pod, variables={**variables, "PICO_CLUSTER__JOIN_TIMEOUT": "1s"})
            self.assertEqual(hasty.program.wait(), 1)
            self.assertIn("no other node was found within 1s at pico.invalid:8003", hasty.program.log)
            self.assertTrue(patient.passes("livenessProbe"))


class AgentTests(PodTestCase):
    """
    Agents of both renderings.
    """

    def test_agents(self) -> None:
        """
        Agents are alive without a node; ready with one, and serve what they were told.
        """
        service = self.scene.run(HTTPService("s"))
        for rendering in _AGENTS:
            node = self.scene.node()
            pod = pods(rendering.manifests())[0]
            away = self.start(pod, replaced=dict.fromkeys(_URLS, "http://127.0.0.1:1"))
            away.wait_for("livenessProbe")
            self.assertFalse(away.passes("readinessProbe"))
            away.program.terminate()
            self.assertEqual(away.program.wait(), 0)

            url = f"http://127.0.0.1:{node.upstream}"
            replaced = {
                **dict.fromkeys(_URLS, url),
                "my-service:80": f"127.0.0.1:{service.port}",
                "http://shop.default.svc:8080/app": f"http://127.0.0.1:{service.port}/app",
            }
            agent = self.start(pod, replaced=replaced)
            agent.wait_for("readinessProbe")
            endpoint = "shop" if rendering.full else "my-endpoint"

            def answered(node: Node = node, endpoint: str = endpoint) -> bool:
                return node.fetch("/x", endpoint=endpoint).status == 200

            eventually(answered, "an answer")
            agent.program.terminate()
            self.assertEqual(agent.program.wait(), 0)
