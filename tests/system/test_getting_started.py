"""
The first session with a cluster, command by command, with the ports and addresses that everybody has.

It runs on a host of its own, where these ports are free, as root because of that.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys

from tests.system.case import SystemTestCase
from tests.system.processes import DEADLINE, PICO, Program, clean_environment, eventually


class SessionTests(SystemTestCase):
    """
    Three nodes behind a load balancer, a directory, an agent.
    """

    def setUp(self) -> None:
        """
        Make a machine on which there is a ``pico``.
        """
        super().setUp()
        self.host = self.scene.network().host()
        programs = self.scene.directory / "programs"
        programs.mkdir()
        command = programs / "pico"
        command.write_text(f'#!/bin/sh\nexec {shlex.join(PICO)} "$@"\n')
        command.chmod(0o755)
        self.environment = {"PATH": f"{programs}:{os.path.dirname(sys.executable)}:{os.environ['PATH']}"}
        self.home = self.scene.directory / "home"
        self.home.mkdir()
        (self.home / "listed.txt").write_text("x")

    def start(self, name: str, line: str) -> Program:
        """
        Type a command into a terminal of its own.
        """
        return self.scene.start(
            name, self.host.command(["sh", "-c", f"exec {line}"]), environment=self.environment, cwd=self.home
        )

    def say(self, line: str) -> str:
        """
        Type a command, and read what it prints.
        """
        done = subprocess.run(
            self.host.command(["sh", "-c", line]),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            env=clean_environment(self.environment),
            cwd=self.home,
            timeout=DEADLINE,
            check=False,
        )
        self.assertEqual(done.returncode, 0, f"{line}: {done.stderr}")
        return done.stdout

    def test_session(self) -> None:
        """
        Every command of the session works as it is written, and prints what is written.
        """
        cluster = self.start("cluster", "pico demo cluster --nodes 3 --no-sample")
        cluster.wait_for_log("the nodes, as they see each other")

        nodes = re.fullmatch(_NODES, self.say("pico status cluster nodes"))
        assert nodes is not None, self.say("pico status cluster nodes")
        self.assertEqual(set(nodes.group("e1", "e2", "e3", "u1", "u2", "u3")), {"0"})
        forwarded = self.say(f"pico status cluster nodes --forward {nodes['n3']}")
        self.assertRegex(forwarded, _NODES)

        self.assertIn("--endpoints", self.say("pico agent -h"))
        self.start("web", "python3 -m http.server 4000")
        agent = self.start("agent", "pico agent --endpoints my-endpoint/localhost:4000")
        agent.wait_for_log("my-endpoint: connected to http://localhost:8001")

        def holder() -> str:
            now = re.fullmatch(_NODES, self.say("pico status cluster nodes"))
            assert now is not None
            held = [number for number in "123" if now[f"e{number}"] == now[f"u{number}"] == "1"]
            return now[f"n{held[0]}"] if len(held) == 1 else ""

        name = eventually(holder, "one of the nodes to have the endpoint")
        self.assertRegex(
            self.say(f"pico status proxy endpoints --forward {name}"),
            r"^endpoints:\n  my-endpoint:\n  - 127\.0\.\d\.\d:\d+\n$",
        )

        # As often as the load balancer needs to pick every node.
        for _ in range(4):
            self.assertIn("listed.txt", self.say('curl http://localhost:8000 -H "x-pico-endpoint: my-endpoint"'))
            self.assertIn(
                "listed.txt",
                self.say(
                    "curl --connect-to my-endpoint.example.com:8000:localhost:8000 http://my-endpoint.example.com:8000"
                ),
            )
        agent.terminate()
        self.assertEqual(agent.wait(), 0)
        cluster.terminate()
        self.assertEqual(cluster.wait(), 0)


_NODE = r"""- id: (?P<n{0}>pico-{0}-[a-z0-9]{{7}})
  status: active
  proxy_addr: [0-9.]+:8000
  admin_addr: [0-9.]+:8002
  endpoints: (?P<e{0}>[01])
  upstreams: (?P<u{0}>[01])
"""
_NODES = "nodes:\n" + "".join(_NODE.format(number) for number in (1, 2, 3))
