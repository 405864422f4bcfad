"""
Tests for :mod:`pico.bench.configs`.
"""

from __future__ import annotations

import re

import yaml
from twisted.trial.unittest import SynchronousTestCase

from pico.bench.configs import (
    ANSWER,
    Ports,
    agent_command,
    cluster_flags,
    make_agent_config,
    make_nginx_configs,
    render,
    server_command,
)

PORTS = Ports(origin=1001, sink=1002, first=1003, second=1004, proxy=1005, upstream=1006, admin=1007, front=1008)


class RenderTests(SynchronousTestCase):
    def test_marks(self) -> None:
        """
        Marks are replaced, all else is left: nginx has its own use for most characters.
        """
        text = "listen @port@; # @name@ $host {@port@} a@b.c\n"
        self.assertEqual(render(text, port=80, name="x"), "listen 80; # x $host {80} a@b.c\n")

    def test_unknown(self) -> None:
        """
        A mark without a value is an error.
        """
        self.assertRaises(KeyError, render, "@port@")


class NginxConfigTests(SynchronousTestCase):
    def setUp(self) -> None:
        """
        Make the files.
        """
        self.configs = make_nginx_configs(PORTS)

    def ports_of(self, name: str) -> list[str]:
        return re.findall(r"127\.0\.0\.1:(\d+)", self.configs[name])

    def test_ports(self) -> None:
        """
        The first passes on to the second, and that to the origin and to the sink; the one in front passes on to the
        first.
        """
        self.assertEqual(self.ports_of("origin.conf"), ["1001"])
        self.assertEqual(self.ports_of("first.conf"), ["1004", "1004", "1003"])
        self.assertEqual(self.ports_of("second.conf"), ["1001", "1002", "1004"])
        self.assertEqual(self.ports_of("front.conf"), ["1003", "1003", "1008"])

    def test_answer(self) -> None:
        """
        The small answer has 33 bytes, and stands in the origin's configuration on one line.
        """
        self.assertEqual(len(ANSWER.encode()), 33)
        self.assertIn(f'return 200 "{ANSWER[:-1]}\\n";', self.configs["origin.conf"])

    def test_fair(self) -> None:
        """
        nginx gets what makes it fast: one worker, kept connections, HTTP/1.1, no logs.
        """
        for text in self.configs.values():
            self.assertIn("worker_processes 1;", text)
            self.assertIn("access_log off;", text)
            self.assertIn("keepalive_requests 1000000000;", text)
        for name in ("front.conf", "first.conf", "second.conf"):
            kept = re.search(r"keepalive (\d+);", self.configs[name])
            self.assertGreaterEqual(int(kept[1]) if kept else 0, 256)
            self.assertIn("proxy_http_version 1.1;", self.configs[name])
            self.assertIn('proxy_set_header Connection "";', self.configs[name])

    def test_no_paths(self) -> None:
        """
        The files, which stand in the report, name no directory of the machine; each nginx has its own.
        """
        for name, text in self.configs.items():
            self.assertNotRegex(text, r"(?m)^\s*\w+ /\w")
            self.assertIn(f"pid {name.removesuffix('.conf')}.pid;", text)


class PicoTests(SynchronousTestCase):
    def test_agent_config(self) -> None:
        """
        The agent serves the origin and the sink, without access log, and keeps connections like nginx.
        """
        more = {"access_log": {"disable": True}, "http_client": {"max_idle_conns": 512}}
        self.assertEqual(
            yaml.safe_load(make_agent_config(PORTS)),
            {
                "connect": {"url": "http://127.0.0.1:1006"},
                "listeners": [
                    {"endpoint_id": "bench", "addr": "127.0.0.1:1001", **more},
                    {"endpoint_id": "bench-sink", "addr": "127.0.0.1:1002", **more},
                ],
            },
        )

    def test_watched_agent(self) -> None:
        """
        An agent may have an access log, and a port of its own with its metrics.
        """
        config = yaml.safe_load(make_agent_config(PORTS, log="a.log", own=9))
        self.assertEqual(config["log"], {"path": "a.log"})
        self.assertEqual(config["server"], {"enabled": True, "bind_addr": "127.0.0.1:9"})
        self.assertEqual([each["access_log"] for each in config["listeners"]], [{"disable": False}] * 2)

    def test_commands(self) -> None:
        """
        Both are started as an operator would.
        """
        self.assertEqual(
            " ".join(server_command(["pico", "server"], proxy=1, upstream=2, admin=3)),
            "pico server --proxy.bind-addr 127.0.0.1:1 --upstream.bind-addr 127.0.0.1:2 "
            "--admin.bind-addr 127.0.0.1:3 --cluster.gossip.bind-addr 127.0.0.1:0 --proxy.access-log.disable",
        )
        logged = server_command(["pico", "server"], proxy=1, upstream=2, admin=3, log="a.log")
        self.assertEqual(logged[-2:], ("--log.path", "a.log"))
        self.assertEqual(" ".join(agent_command(["pico"], "a.yaml")), "pico agent start --config.path a.yaml")

    def test_cluster(self) -> None:
        """
        A node of several has an id, the cluster's secret in a file, a port for other nodes, and one to join, but for
        the first.
        """
        flags = "--cluster.node-id n --cluster.secret-keys-file s"
        self.assertEqual(" ".join(cluster_flags("n", "s", 0)), flags)
        joining = cluster_flags("n", "s", 7)
        self.assertEqual(" ".join(joining), f"{flags} --cluster.join 127.0.0.1:7")
        command = server_command(["pico"], proxy=1, upstream=2, admin=3, gossip=4, cluster=joining)
        self.assertIn(f"--cluster.gossip.bind-addr 127.0.0.1:4 {' '.join(joining)} ", " ".join(command))
