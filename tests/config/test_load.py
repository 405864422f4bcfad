"""
Tests for :mod:`pico.config.load`: many sources, one tree.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from pico.config.agent import AgentConfig
from pico.config.faults import InvalidConfig
from pico.config.fields import leaves
from pico.config.listeners import listener_of
from pico.config.load import load
from pico.config.server import ServerConfig


class PrecedenceTests(SynchronousTestCase):
    """
    Flags over environment over YAML over defaults.
    """

    YAML = "proxy:\n  bind_addr: :1\n  timeout: 1s\n  attempts: 4\n"

    def _load(
        self, environment: Mapping[str, str] | None = None, flags: Mapping[str, str] | None = None
    ) -> tuple[ServerConfig, Mapping[str, str]]:
        loaded = load(ServerConfig, yaml_text=self.YAML, yaml_source="f", environment=environment, flags=flags)
        return loaded.config, loaded.origins

    def test_order(self) -> None:
        """
        Each source wins over those behind it, and says where a value came from.
        """
        config, origins = self._load(
            {"PICO_PROXY__TIMEOUT": "2s", "PICO_PROXY__BIND_ADDR": ":2"}, {"proxy.bind_addr": ":3"}
        )
        self.assertEqual((config.proxy.bind_addr, config.proxy.timeout, config.proxy.attempts), (":3", 2.0, 4))
        self.assertEqual(
            origins,
            {
                "proxy.bind_addr": "--proxy.bind-addr",
                "proxy.timeout": "PICO_PROXY__TIMEOUT",
                "proxy.attempts": "f:4",
            },
        )
        self.assertEqual(config.admin.bind_addr, ":8002")

    def test_unknown_variable(self) -> None:
        """
        A variable that may be meant for others is a warning.
        """
        loaded = load(ServerConfig, environment={"PICO_SERVICE_HOST": "x", "OTHER": "y"})
        self.assertEqual(len(loaded.warnings), 1)
        self.assertIn("PICO_SERVICE_HOST", loaded.warnings[0])


class FaultTests(SynchronousTestCase):
    """
    Everything that is wrong, at once.
    """

    def _faults(self, text: str, tree: type[msgspec.Struct] = ServerConfig) -> list[str]:
        with self.assertRaises(InvalidConfig) as caught:
            load(tree, yaml_text=text, yaml_source="f.yaml")
        return [str(fault) for fault in caught.exception.faults]

    def test_many(self) -> None:
        """
        Each fault has its line, its path and a hint.
        """
        faults = self._faults(
            "proxy:\n"
            "  bind_adr: :1\n"
            "  timeout: 10\n"
            "  http: 5\n"
            "  attempts: many\n"
            "  access_log: {disable: NO}\n"
            "log:\n"
            "  level: infoo\n"
            "  level: info\n"
            "grace_period: [1s]\n"
        )
        for expected in [
            "f.yaml:2: proxy.bind_adr: unknown key (did you mean bind_addr?)",
            "f.yaml:3: proxy.timeout: '10' is not a duration",
            "f.yaml:4: proxy.http: must hold keys and values",
            "f.yaml:5: proxy.attempts: 'many' is not a whole number",
            "f.yaml:6: proxy.access_log.disable: 'NO' is neither true nor false",
            "f.yaml:8: log.level: 'infoo' is not one of",
            "f.yaml:9: log.level: is given twice, first in line 8",
            "f.yaml:10: grace_period: must be one value",
        ]:
            self.assertTrue(any(fault.startswith(expected) for fault in faults), (expected, faults))
        self.assertEqual(len(faults), 8)

    def test_not_yaml(self) -> None:
        """
        What is not YAML, and what of YAML is not wanted.
        """
        self.assertIn("f.yaml:1: not YAML", self._faults("a: [")[0].replace(":2:", ":1:"))
        self.assertIn("anchors", self._faults("a: &x 1\nb: *x\n")[0])
        self.assertIn("keys and values", self._faults("- a\n")[0])

    def test_empty(self) -> None:
        """
        An empty file and empty sections are the defaults.
        """
        for text in ("", "# nothing\n", "proxy:\nlog:\n  level:\n"):
            self.assertEqual(load(ServerConfig, yaml_text=text, yaml_source="f").config, ServerConfig())

    def test_listeners(self) -> None:
        """
        Each listener is a tree of its own.
        """
        text = "listeners:\n- endpoint_id: e\n  addr: 4000\n  http_client: {max_idle_conns: 5}\n"
        config = load(AgentConfig, yaml_text=text, yaml_source="f").config
        self.assertEqual(config.listeners[0].http_client.max_idle_conns, 5)
        self.assertEqual(config.listeners[0].timeout, 10)
        faults = self._faults("listeners:\n- endpoint: e\n- addr: x\n- 5\n", AgentConfig)
        self.assertIn("f.yaml:2: listeners[0].endpoint: unknown key (did you mean endpoint_id?)", faults)
        self.assertIn("f.yaml:3: listeners[1]: missing endpoint_id", faults)

    def test_endpoints(self) -> None:
        """
        ENDPOINT/ADDR is split at the first slash.
        """
        listener = listener_of("my-endpoint/http://localhost:4000/a/b")
        self.assertEqual((listener.endpoint_id, listener.addr), ("my-endpoint", "http://localhost:4000/a/b"))
        for text in ("", "e", "/4000", "e/", "e/nonsense", "e\x07/4000", "e" * 256 + "/4000"):
            with self.assertRaises(ValueError, msg=text):
                listener_of(text)


class TreeTests(SynchronousTestCase):
    """
    The trees themselves.
    """

    def test_described(self) -> None:
        """
        Every setting has a help text, and flags and variables of its own.
        """
        for tree in (ServerConfig, AgentConfig):
            found = list(leaves(tree))
            self.assertTrue(all(leaf.setting.help.endswith((".", ")")) for leaf in found))
            self.assertEqual(len({leaf.flag for leaf in found}), len(found))
            self.assertEqual(len({leaf.variable for leaf in found}), len(found))
