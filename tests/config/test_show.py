"""
Tests for :mod:`pico.config.show`: a configuration with its origins.
"""

from __future__ import annotations

import json
from itertools import product

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from pico.config.agent import AgentConfig
from pico.config.keys import keys_of
from pico.config.load import Loaded, load
from pico.config.secret import SecretFile
from pico.config.server import ServerConfig
from pico.config.show import show_json, show_yaml
from pico.config.trees import PROGRAMS
from tests.config.support import compatible, samples, yaml_of

AGENT = """\
connect:
  url: http://node:8001/base?key=hunter2
  token: hunter2
log:
  subsystems: [client, a b]
listeners:
  - endpoint_id: one
    addr: 4000
    http_client: {max_idle_conns: 5}
  - two/http://h:5000/p
"""


def load_agent(text: str = AGENT) -> Loaded[AgentConfig]:
    """
    An agent with a bit of everything.
    """
    return load(
        AgentConfig,
        yaml_text=text,
        yaml_source="f",
        environment={"PICO_GRACE_PERIOD": "90s"},
        flags={"log.level": "warn"},
        read_secret=lambda path: SecretFile("hunter2"),
    )


class YAMLTests(SynchronousTestCase):
    """
    The form for people.
    """

    def test_agent(self) -> None:
        """
        Sections, lists and origins, as they would be written by hand; secrets are hidden.
        """
        shown = show_yaml(load_agent())
        self.assertNotIn("hunter2", shown)
        lines = [" ".join(line.split()) if "#" in line else line for line in shown.splitlines()]
        self.assertEqual(
            lines[:10] + lines[16:19],
            [
                "listeners:",
                "- endpoint_id: one # f:7",
                'addr: "4000" # f:8'.replace('"', ""),
                "protocol: http # default",
                "timeout: 10s # default",
                "rewrite_host: false # default",
                "connections: 0 # default",
                "    access_log:",
                "level: info # default",
                "disable: false # default",
                "    http_client:",
                "idle_conn_timeout: 1m30s # default",
                "max_idle_conns: 5 # f:9",
            ],
        )
        for line in (
            "- endpoint_id: two # f:10",
            "addr: http://h:5000/p # f:10",
            'url: "http://node:8001/base?********" # f:2',
            'token: "********" # f:3',
            "level: warn # --log.level",
            'subsystems: [client, "a b"] # f:5',
            "grace_period: 1m30s # PICO_GRACE_PERIOD",
        ):
            self.assertIn(line, lines)

    def test_secret_in_a_file(self) -> None:
        """
        Where a secret comes from a file, the file's name is shown instead.
        """
        shown = show_yaml(load_agent("connect: {token_file: /run/token}"))
        self.assertRegex(shown, r"  token_file: /run/token +# f:1\n")
        self.assertNotRegex(shown, r" token:")

    def test_can_be_read_again(self) -> None:
        """
        What is shown means the same configuration, for any value of any setting.
        """
        for program in PROGRAMS:
            plain = [leaf for leaf in keys_of(program.tree).leaves if not leaf.secret and not leaf.setting.kind.secret]
            for settings, number in product(compatible(plain), range(3)):
                text, _ = yaml_of((leaf.path, samples(leaf)[number]) for leaf in settings)
                loaded = load(program.tree, yaml_text=text, yaml_source="f")
                again = load(program.tree, yaml_text=show_yaml(loaded), yaml_source="g")
                self.assertEqual(loaded.config, again.config)

    def test_odd_texts(self) -> None:
        """
        Texts that YAML would take for something else are quoted.
        """
        for text in (
            "null",
            "~",
            "",
            "- a",
            "a: b",
            "a #b",
            "'",
            '"',
            "\\",
            "a\tb",
            "ü",
            "😀",
            "{a}",
            "[a]",
            "*a",
            "&a",
        ):
            config = ServerConfig()
            log = msgspec.structs.replace(config.log, subsystems=(text,) if text else ())
            loaded = Loaded(msgspec.structs.replace(config, log=log), {}, [])
            again = load(ServerConfig, yaml_text=show_yaml(loaded), yaml_source="g")
            self.assertEqual(loaded.config, again.config, text)

    def test_defaults(self) -> None:
        """
        Without any source everything is a default.
        """
        shown = show_yaml(load(ServerConfig))
        values = [line for line in shown.splitlines() if not line.endswith(":")]
        self.assertTrue(all(line.endswith("# default") for line in values))
        self.assertEqual(load(ServerConfig, yaml_text=shown, yaml_source="g").config, ServerConfig())
        self.assertRegex(show_yaml(load(AgentConfig)), r"^listeners: \[\] +# default\n")


class JSONTests(SynchronousTestCase):
    """
    The form for programs.
    """

    def test_agent(self) -> None:
        """
        The same values with their origins.
        """
        shown = show_json(load_agent())
        text = json.dumps(shown)
        self.assertNotIn("hunter2", text)
        found = json.loads(text)
        self.assertEqual(found["grace_period"], {"value": "1m30s", "origin": "PICO_GRACE_PERIOD"})
        self.assertEqual(found["connect"]["token"], {"value": "********", "origin": "f:3"})
        self.assertEqual(found["log"]["subsystems"], {"value": ["client", "a b"], "origin": "f:5"})
        self.assertEqual(len(found["listeners"]), 2)
        self.assertEqual(found["listeners"][0]["http_client"]["max_idle_conns"], {"value": 5, "origin": "f:9"})
        self.assertEqual(found["listeners"][1]["addr"], {"value": "http://h:5000/p", "origin": "f:10"})
        self.assertEqual(found["listeners"][1]["rewrite_host"], {"value": False, "origin": "default"})

    def test_nothing(self) -> None:
        """
        No listeners are an empty list.
        """
        self.assertEqual(show_json(load(AgentConfig))["listeners"], {"value": [], "origin": "default"})
