"""
Everything that is wrong with a configuration, at once, and each in words that help.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from pico.config.absent import why_absent
from pico.config.agent import AgentConfig
from pico.config.faults import Fault, InvalidConfig, nearest
from pico.config.load import load
from pico.config.server import ServerConfig
from tests.config.planted import AGENT_FAULTS, AGENT_FILE, NODE_FAULTS, NODE_FILE, Planted


def faults_of(
    tree: type[msgspec.Struct],
    text: str | None = None,
    *,
    environment: Mapping[str, str] | None = None,
    flags: Mapping[str, str] | None = None,
    expand_env: bool = False,
) -> list[str]:
    """
    What is wrong with a configuration.
    """
    try:
        load(tree, yaml_text=text, yaml_source="f", environment=environment, flags=flags, expand_env=expand_env)
    except InvalidConfig as error:
        return [str(fault) for fault in error.faults]
    return []


class PlantedTests(SynchronousTestCase):
    """
    A file with ten faults.
    """

    def _check(self, tree: type[msgspec.Struct], text: str, planted: list[Planted]) -> None:
        with self.assertRaises(InvalidConfig) as caught:
            load(tree, yaml_text=text, yaml_source="f")
        self.assertEqual(len(planted), 10)
        found = [(fault.line, fault.path) for fault in caught.exception.faults]
        self.assertEqual(found, [(each.line, each.path) for each in planted])
        for fault, each in zip(caught.exception.faults, planted, strict=True):
            self.assertIn(each.problem, fault.problem)

    def test_node(self) -> None:
        """
        Ten faults of ten kinds are ten lines, each with its line and path, in the order of the file.
        """
        self._check(ServerConfig, NODE_FILE, NODE_FAULTS)

    def test_agent(self) -> None:
        """
        In an agent's file, too.
        """
        self._check(AgentConfig, AGENT_FILE, AGENT_FAULTS)


class WrongUseTests(SynchronousTestCase):
    """
    Whether it is the command line that has to be corrected.
    """

    def test_sources(self) -> None:
        """
        It is if a flag's value cannot be used; not if only the file, a variable or a file that a flag names cannot.
        """
        bad = {"grace_period": "soon"}
        missing = {"connect.token_file": "/missing"}
        for text, environment, flags, expected in (
            ("grace_period: soon", {}, {}, False),
            (None, {"PICO_GRACE_PERIOD": "soon"}, {}, False),
            (None, {}, bad, True),
            ("grace_period: soon", {"PICO_GRACE_PERIOD": "soon"}, bad, True),
            (None, {}, missing, False),
            (None, {}, {**missing, "connect.token": "t"}, True),
        ):
            with self.assertRaises(InvalidConfig) as caught:
                load(AgentConfig, yaml_text=text, yaml_source="f", environment=environment, flags=flags)
            self.assertEqual(caught.exception.wrong_use, expected, (text, environment, flags))


class UnknownTests(SynchronousTestCase):
    """
    What an unknown name may mean.
    """

    def test_keys(self) -> None:
        """
        The nearest key, first among its neighbours, then anywhere; however it is written.
        """
        for text, hint in [
            ("proxy: {bind_adr: x}", "proxy.bind_adr: unknown key (did you mean bind_addr?)"),
            ("proxy: {bind-addr: x}", "proxy.bind-addr: unknown key (did you mean bind_addr?)"),
            ("Proxy: {}", "Proxy: unknown key (did you mean proxy?)"),
            ("graceperiod: 1s", "graceperiod: unknown key (did you mean grace_period?)"),
            ("max_tunnels: 1", "max_tunnels: unknown key (did you mean upstream.max_tunnels?)"),
            ("proxy.bind_addr: x", "proxy.bind_addr: unknown key (did you mean proxy.bind_addr?)"),
            ("proxy: {max_headers: 1}", "proxy.max_headers: unknown key (did you mean proxy.http.max_headers?)"),
            ("xyzzy: 1", "xyzzy: unknown key"),
        ]:
            self.assertEqual(faults_of(ServerConfig, text), [f"f:1: {hint}"])

    def test_keys_of_an_agent(self) -> None:
        """
        A short name in the wrong place is found where it belongs.
        """
        for text, meant in [("url: x", "connect.url"), ("log: {token: x}", "connect.token")]:
            self.assertIn(f"(did you mean {meant}?)", faults_of(AgentConfig, text)[0])

    def test_what_has_come_is_not_absent(self) -> None:
        """
        A section that exists is not said to be missing, nor what is unknown in it.
        """
        path = ("proxy", "tls", "cert")
        self.assertNotEqual(why_absent(ServerConfig, path, [("proxy",)]), "")
        self.assertEqual(why_absent(ServerConfig, path, [("proxy",), ("proxy", "tls")]), "")

    def test_what_excludes_another(self) -> None:
        """
        Two lists of which only one can hold are one fault, whichever source each comes from; an empty one is none.
        """
        text = "proxy:\n  access_log:\n    request_headers:\n      block_list: [a]\n      allow_list: [b]\n"
        self.assertEqual(
            faults_of(ServerConfig, text),
            ["f:4: proxy.access_log.request_headers.block_list: cannot be set together with allow_list (f:5)"],
        )
        variable = "PICO_PROXY__ACCESS_LOG__REQUEST_HEADERS__BLOCK_LIST"
        allowed = {"proxy.access_log.request_headers.allow_list": "b"}
        problem = "cannot be set together with allow_list (--proxy.access-log.request-headers.allow-list)"
        found = faults_of(ServerConfig, environment={variable: "a"}, flags=allowed)
        self.assertEqual(found, [f"{variable}: {problem}"])
        self.assertEqual(faults_of(ServerConfig, text, environment={variable: ""}), [])
        listeners = (
            "listeners:\n- endpoint_id: e\n  addr: 1\n  access_log:\n    response_headers:\n"
            "      allow_list: [a]\n      block_list: [b]\n"
        )
        name = "listeners[0].access_log.response_headers.block_list"
        found = faults_of(AgentConfig, listeners)
        self.assertEqual(found, [f"f:7: {name}: cannot be set together with allow_list (f:6)"])

    def test_the_other_program(self) -> None:
        """
        A setting of the other program is said to be one.
        """
        self.assertEqual(
            faults_of(ServerConfig, "listeners: []"),
            ["f:1: listeners: unknown key: it is a setting of an agent (pico agent), not of a node"],
        )
        self.assertEqual(
            faults_of(AgentConfig, "proxy: {bind_addr: x}"),
            ["f:1: proxy: unknown key: it is a setting of a node (pico server), not of an agent"],
        )

    def test_absent(self) -> None:
        """
        What Piko has and Pico has not is no neighbour's misspelling; one sentence for a whole section.
        """
        table: list[tuple[type[msgspec.Struct], str, str, str]] = [
            (ServerConfig, "proxy: {tls: {cert: a, key: b}}", "proxy.tls", "Pico has no TLS on its ports yet"),
            (ServerConfig, "upstream: {auth: {issuer: x}}", "upstream.auth", "Pico has no authentication yet"),
            (ServerConfig, "upstream: {tenants: []}", "upstream.tenants", "Pico has no tenants yet"),
            (ServerConfig, "proxy: {gateway_timeout: 5s}", "proxy.gateway_timeout", "is called proxy.timeout now"),
            (AgentConfig, "connect: {proxy_url: x}", "connect.proxy_url", "Pico cannot dial through a proxy yet"),
            (AgentConfig, "server: {heartbeat_timeout: 5s}", "server.heartbeat_timeout", "keepalive_timeout now"),
        ]
        for tree, text, path, sentence in table:
            faults = faults_of(tree, text)
            self.assertEqual(len(faults), 1, text)
            self.assertTrue(faults[0].startswith(f"f:1: {path}: unknown key: "), faults)
            self.assertIn(sentence, faults[0])
            self.assertNotIn("did you mean", faults[0])

    def test_absent_in_a_listener(self) -> None:
        """
        Neither there.
        """
        text = "listeners: [{endpoint_id: e, addr: 1, http_client: {disable_compression: true}}]"
        self.assertIn("compresses nothing", faults_of(AgentConfig, text)[0])
        text = "listeners: [{endpoint_id: e, addr: 1, protocol: tcp}]"
        self.assertEqual(
            faults_of(AgentConfig, text), ["f:1: listeners[0].protocol: Pico carries no tcp yet, only http"]
        )

    def test_variables(self) -> None:
        """
        An unknown variable is a warning with the nearest name.
        """
        table: list[tuple[type[msgspec.Struct], str, str]] = [
            (ServerConfig, "PICO_PROXY_BIND_ADDR", " (did you mean PICO_PROXY__BIND_ADDR?)"),
            (ServerConfig, "PICO_CONFIG_PATH", " (did you mean PICO_CONFIG__PATH?)"),
            (ServerConfig, "PICO_SERVICE_HOST", ""),
            (
                ServerConfig,
                "PICO_PROXY__TLS__CERT",
                ": Pico has no TLS on its ports yet; put a proxy with TLS in front of them",
            ),
            (AgentConfig, "PICO_PROXY__BIND_ADDR", ": it is a setting of a node (pico server), not of an agent"),
            (AgentConfig, "PICO_CONNECT__TOKENFILE", " (did you mean PICO_CONNECT__TOKEN_FILE?)"),
        ]
        for tree, name, text in table:
            loaded = load(tree, environment={name: "x", "OTHER": "y"})
            self.assertEqual(loaded.warnings, [f"unknown environment variable {name}{text}"])

    def test_known_variables_are_no_warning(self) -> None:
        """
        Neither settings, nor where the file is, nor what is not Pico's.
        """
        environment = {"PICO_PROXY__TIMEOUT": "1s", "PICO_CONFIG__PATH": "x", "PICO_CONFIG__EXPAND_ENV": "true"}
        self.assertEqual(load(ServerConfig, environment=environment).warnings, [])

    def test_nearest(self) -> None:
        """
        Case and dashes make no difference, and what is far away is no hint.
        """
        self.assertEqual(nearest("Bind-Addr", ["bind_addr", "timeout"]), "bind_addr")
        self.assertEqual(nearest("xyzzy", ["bind_addr", "timeout"]), "")


class SourceTests(SynchronousTestCase):
    """
    Faults of variables, of flags, and of two names for one thing.
    """

    def test_names(self) -> None:
        """
        The variable or the flag is named.
        """
        faults = faults_of(
            ServerConfig, environment={"PICO_GRACE_PERIOD": "5"}, flags={"log.level": "loud", "log.nonsense": "x"}
        )
        self.assertEqual(
            faults,
            [
                "--log.level: 'loud' is not one of debug, info, warn, error",
                "--log.nonsense: unknown flag",
                "PICO_GRACE_PERIOD: '5' is not a duration; write for example 500ms, 10s or 1m30s (is 5s meant?)",
            ],
        )

    def test_all_sources(self) -> None:
        """
        Faults of all sources come together, the file's first.
        """
        faults = faults_of(ServerConfig, "x: 1\n", environment={"PICO_GRACE_PERIOD": "5"}, flags={"drain_delay": "5"})
        self.assertEqual([fault.partition(":")[0] for fault in faults], ["f", "--drain-delay", "PICO_GRACE_PERIOD"])

    def test_two_names(self) -> None:
        """
        A setting under two of its names is a fault, in a file and in the environment.
        """
        self.assertEqual(
            faults_of(AgentConfig, "server: {url: 'http://a'}\nconnect: {url: 'http://b'}\n"),
            ["f:2: connect.url: is given twice, under two names; the other is in line 1"],
        )
        faults = faults_of(AgentConfig, environment={"PICO_SERVER__URL": "http://a", "PICO_CONNECT__URL": "http://b"})
        self.assertEqual(faults, ["PICO_SERVER__URL: is the same setting as PICO_CONNECT__URL, which is set, too"])

    def test_variables_that_are_not_set(self) -> None:
        """
        A variable without a value is one fault, wherever it stands, and nothing is said about what it leaves behind.
        """
        for text in (
            "grace_period: ${NONE}",
            "connect: {url: '${NONE}'}",
            "log: {subsystems: [a, '${NONE}']}",
            "listeners: [{endpoint_id: e, addr: '${NONE}'}]",
            "listeners: ['${NONE}']",
            "listeners: ${NONE}",
            "connect: ${NONE}",
        ):
            self.assertEqual(len(faults_of(AgentConfig, text, expand_env=True)), 1, text)

    def test_variables_with_values(self) -> None:
        """
        What a variable puts in is judged like everything else.
        """
        faults = faults_of(AgentConfig, "grace_period: ${A}", environment={"A": "x"}, expand_env=True)
        self.assertEqual(len(faults), 1)
        self.assertTrue(faults[0].startswith("f:1: grace_period: 'x' is not a duration"), faults)

    def test_checks(self) -> None:
        """
        What another room has to say about a value is a fault like all others, with its place.
        """

        def check(text: str) -> None:
            raise ValueError(f"{text} is ugly")

        for sources, expected in [
            ({"yaml_text": "connect:\n  url: http://a\n", "yaml_source": "f"}, "f:2: connect.url: http://a is ugly"),
            ({"flags": {"connect.url": "http://a"}}, "--connect.url: http://a is ugly"),
        ]:
            with self.assertRaises(InvalidConfig) as caught:
                load(AgentConfig, checks={"connect.url": check}, **sources)  # type: ignore[arg-type]  # of one table
            self.assertEqual(str(caught.exception), expected)
        self.assertEqual(load(AgentConfig, checks={"connect.url": check}).config, AgentConfig())

    def test_one_line(self) -> None:
        """
        Whatever a file holds, a fault is one line that a terminal can be trusted with.
        """
        for text in ('"a\\nb\\e[31m": 1\n', 'log: {level: "a\\nb\\e[31m"}\n'):
            for fault in faults_of(ServerConfig, text):
                self.assertTrue(fault.isprintable(), fault)
        self.assertEqual(str(Fault("f", 1, "a\x1bb", "ü")), "f:1: a\\x1bb: ü")

    def test_no_secret(self) -> None:
        """
        A fault with a secret does not repeat it.
        """
        for text in (
            "connect: {token: hunter2-ü}",
            "connect: {token: [hunter2]}",
            "connect: {token: hunter2}\nauth: {api_key: hunter2}",
            "connect: {tokn: hunter2}",
            "listeners: [{endpoint_id: e, addr: 'http://u:hunter2@h'}]",
            "listeners: [{endpoint_id: e, addr: 'http://h?k=hunter2'}]",
            "listeners: [{endpoint_id: e, addr: 'u:hunter2@h:80'}]",
            "listeners: [{endpoint_id: e, addr: 'http://u:hunter2@h:port'}]",
        ):
            faults = faults_of(AgentConfig, text)
            self.assertTrue(faults, text)
            self.assertNotIn("hunter2", "".join(faults))
