"""
Tests for :mod:`pico.cli.status_forms`.
"""

from __future__ import annotations

import json

import yaml
from twisted.trial.unittest import SynchronousTestCase

from pico.cli.status_client import Reply
from pico.cli.status_forms import (
    GOSSIP_NODE,
    GOSSIP_NODES,
    NODE,
    NODES,
    PROXY_ENDPOINTS,
    TUNNELS,
    UPSTREAM_ENDPOINTS,
    Form,
    Rates,
    Table,
    age,
    as_json,
    as_yaml,
    nodes_form,
    rates,
    size,
)
from pico.errors import PicoError

FORMS = (NODES, NODE, UPSTREAM_ENDPOINTS, PROXY_ENDPOINTS, TUNNELS, GOSSIP_NODES, GOSSIP_NODE)


def _node(name: str) -> dict[str, object]:
    return {
        "id": name,
        "status": "active",
        "proxy_addr": "172.18.0.3:8000",
        "admin_addr": "172.18.0.3:8002",
        "endpoints": 1,
        "upstreams": 2,
    }


def _member(name: str, **facts: object) -> dict[str, object]:
    return {
        "id": name,
        "addr": "172.18.0.3:8003",
        "version": 7,
        "left": False,
        "unreachable": False,
        "expiry": "0001-01-01T00:00:00Z",
        **facts,
    }


def _tunnel(number: int, **facts: object) -> dict[str, object]:
    return {
        "id": number,
        "endpoint": "e",
        "status": "active",
        "agent_addr": "10.0.0.1:1",
        "agent_version": "0.1.0",
        "capabilities": ["go-away"],
        "since": "2001-09-09T01:46:40Z",
        "rtt_ms": None,
        "streams": 3,
        "idle_streams": 2,
        "in_flight": 1,
        "requests": 100,
        "bytes_received": 2048,
        "bytes_sent": 500,
        **facts,
    }


def _document(form: Form, value: object) -> str:
    return as_yaml(form.document(value))


def _table(form: Form, value: object, rates: Rates | None = None, now: float | None = None) -> Table:
    return form.table(Reply(form.document(value), now), rates)


class DocumentTests(SynchronousTestCase):
    """
    YAML as it always was, so that scripts can rely on it.
    """

    def test_nodes(self) -> None:
        """
        A list by id.
        """
        self.assertEqual(
            _document(NODES, [_node("pico-2-rjtlyx1"), _node("pico-1-fuvaflv")]),
            "nodes:\n"
            "- id: pico-1-fuvaflv\n"
            "  status: active\n"
            "  proxy_addr: 172.18.0.3:8000\n"
            "  admin_addr: 172.18.0.3:8002\n"
            "  endpoints: 1\n"
            "  upstreams: 2\n"
            "- id: pico-2-rjtlyx1\n"
            "  status: active\n"
            "  proxy_addr: 172.18.0.3:8000\n"
            "  admin_addr: 172.18.0.3:8002\n"
            "  endpoints: 1\n"
            "  upstreams: 2\n",
        )

    def test_node(self) -> None:
        """
        One with its endpoints by name; a node may say null for none.
        """
        node = {**_node("n"), "endpoints": {"f": 2, "e": 1}}
        del node["upstreams"]
        head = "id: n\nstatus: active\nproxy_addr: 172.18.0.3:8000\nadmin_addr: 172.18.0.3:8002\n"
        self.assertEqual(_document(NODE, node), head + "endpoints:\n  e: 1\n  f: 2\n")
        self.assertEqual(_document(NODE, {**node, "endpoints": None}), head + "endpoints: {}\n")

    def test_nodes_of_a_status(self) -> None:
        """
        All, or those of one status.
        """
        value = [
            {**_node(name), "status": status} for name, status in (("a", "active"), ("b", "left"), ("c", "active"))
        ]
        for status, names in ((None, "abc"), ("active", "ac"), ("left", "b"), ("unreachable", "")):
            text = _document(nodes_form(status), value)
            self.assertEqual([node["id"] for node in yaml.safe_load(text)["nodes"]], list(names))
        self.assertEqual(_document(nodes_form("leaving"), value), "nodes: []\n")

    def test_gossip_nodes(self) -> None:
        """
        A list by id, with times as YAML writes them.
        """
        self.assertEqual(
            _document(GOSSIP_NODES, [_member("b", unreachable=True, expiry="2001-09-09T01:47:40Z"), _member("a")]),
            "nodes:\n"
            "- id: a\n"
            "  addr: 172.18.0.3:8003\n"
            "  version: 7\n"
            "  left: false\n"
            "  unreachable: false\n"
            "  expiry: 0001-01-01T00:00:00Z\n"
            "- id: b\n"
            "  addr: 172.18.0.3:8003\n"
            "  version: 7\n"
            "  left: false\n"
            "  unreachable: true\n"
            "  expiry: 2001-09-09T01:47:40Z\n",
        )

    def test_gossip_node(self) -> None:
        """
        What is known of it, and apart from that its keys.
        """
        entry = {"key": "endpoint:e", "value": "1 0", "version": 4, "internal": False, "deleted": False}
        text = (
            "nodemetadata:\n"
            "  id: a\n"
            "  addr: 172.18.0.3:8003\n"
            "  version: 7\n"
            "  left: false\n"
            "  unreachable: false\n"
            "  expiry: 0001-01-01T00:00:00Z\n"
            "entries:"
        )
        self.assertEqual(
            _document(GOSSIP_NODE, {**_member("a"), "Entries": [entry]}),
            text + "\n- key: endpoint:e\n  value: 1 0\n  version: 4\n  internal: false\n  deleted: false\n",
        )
        self.assertEqual(_document(GOSSIP_NODE, {**_member("a"), "Entries": None}), text + " []\n")
        part = GOSSIP_NODE.document({**_member("a"), "Entries": [entry], "Total": 5})
        self.assertIn("1 of 5", GOSSIP_NODE.note(part))
        self.assertEqual(GOSSIP_NODE.note(GOSSIP_NODE.document({**_member("a"), "Entries": [entry]})), "")

    def test_odd_times(self) -> None:
        """
        What is no time is text like any other.
        """
        text = _document(GOSSIP_NODES, [_member("a", expiry="x: [\x1b")])
        self.assertEqual(yaml.safe_load(text)["nodes"][0]["expiry"], "x: [\x1b")
        self.assertNotIn("\x1b", text)

    def test_endpoints(self) -> None:
        """
        Maps, by name.
        """
        self.assertEqual(_document(UPSTREAM_ENDPOINTS, {"my-endpoint": 2, "a": 1}), "a: 1\nmy-endpoint: 2\n")
        self.assertEqual(_document(UPSTREAM_ENDPOINTS, {}), "{}\n")
        self.assertEqual(
            _document(PROXY_ENDPOINTS, {"my-endpoint": ["172.18.0.7:39084", "172.18.0.6:1"]}),
            "endpoints:\n  my-endpoint:\n  - 172.18.0.7:39084\n  - 172.18.0.6:1\n",
        )

    def test_tunnels(self) -> None:
        """
        As the node tells them.
        """
        text = _document(TUNNELS, {"total": 1, "tunnels": [_tunnel(1)]})
        self.assertTrue(text.startswith("total: 1\ntunnels:\n- id: 1\n  endpoint: e\n"))

    def test_hostile_names(self) -> None:
        """
        A name that YAML or a terminal would misread comes through as it is, and is written safely.
        """
        for name in ("no", "12:34", "\x1b[2J", "a: b", "\u00e9", "x" * 255 + " y", "*a", ""):
            text = _document(UPSTREAM_ENDPOINTS, {name: 1})
            self.assertEqual(yaml.safe_load(text), {name: 1})
            self.assertNotIn("\x1b", text)
            self.assertEqual(json.loads(as_json({name: 1})), {name: 1})

    def test_json(self) -> None:
        """
        For people over several lines, for programs on one.
        """
        self.assertEqual(as_json({"a": [1]}), '{\n  "a": [\n    1\n  ]\n}\n')
        self.assertEqual(as_json({"a": [1]}, compact=True), '{"a": [1]}\n')

    def test_strange_answers(self) -> None:
        """
        What no node says is an error for the user, not a traceback.
        """
        for form in FORMS:
            strange: tuple[object, ...] = (None, 1, "x", [1], [[]], {"tunnels": 1}, {"tunnels": [1]})
            for value in (*strange, {"endpoints": [1]}):
                try:
                    _table(form, value, {})
                    form.counters(form.document(value))
                    form.note(form.document(value))
                except PicoError as error:
                    self.assertIn("admin port", str(error))


class TableTests(SynchronousTestCase):
    """
    Tables for people.
    """

    def test_nodes(self) -> None:
        """
        A row a node.
        """
        table = _table(NODES, [_node("b"), _node("a")])
        self.assertEqual(table.columns, ("ID", "STATUS", "PROXY", "ADMIN", "ENDPOINTS", "UPSTREAMS"))
        self.assertEqual([row[0] for row in table.rows], ["a", "b"])
        self.assertEqual(table.rows[0][4:], ["1", "2"])

    def test_node(self) -> None:
        """
        The node above its endpoints.
        """
        table = _table(NODE, {**_node("n"), "endpoints": {"e": 1}})
        self.assertEqual(table.caption, "node n  status active  proxy 172.18.0.3:8000  admin 172.18.0.3:8002")
        self.assertEqual(table.rows, [["e", "1"]])
        self.assertEqual(_table(NODE, {**_node("n"), "endpoints": None}).rows, [])

    def test_endpoints(self) -> None:
        """
        An endpoint with several agents is named once.
        """
        self.assertEqual(_table(UPSTREAM_ENDPOINTS, {"e": 3}).rows, [["e", "3"]])
        self.assertEqual(
            _table(PROXY_ENDPOINTS, {"e": ["a:1", "b:2"], "f": ["c:3"]}).rows,
            [["e", "a:1"], ["", "b:2"], ["f", "c:3"]],
        )

    def test_gossip(self) -> None:
        """
        A row a node, with how long who is not there is kept; a row a key.
        """
        value = [
            _member("a"),
            _member("b", unreachable=True, expiry="2001-09-09T01:47:40Z"),
            _member("c", left=True, expiry="2001-09-09T01:46:45Z"),
        ]
        rows = _table(GOSSIP_NODES, value, now=1_000_000_000.0).rows
        self.assertEqual([row[3:] for row in rows], [["alive", ""], ["unreachable", "1m00s"], ["left", "5s"]])
        entries = [
            {"key": "endpoint:e", "value": "1 0", "version": 4, "internal": False, "deleted": False},
            {"key": "i", "value": "", "version": 5, "internal": True, "deleted": True},
        ]
        table = _table(GOSSIP_NODE, {**_member("a"), "Entries": entries})
        self.assertEqual(table.caption, "node a  addr 172.18.0.3:8003  version 7  status alive")
        self.assertEqual(table.rows, [["4", "endpoint:e", "1 0", ""], ["5", "i", "", "internal deleted"]])

    def test_tunnels(self) -> None:
        """
        A row a tunnel, numbers with units; no column for tenants where there are none.
        """
        table = _table(TUNNELS, {"total": 1, "tunnels": [_tunnel(1)]}, None, 1_000_000_090.0)
        self.assertEqual(
            dict(zip(table.columns, table.rows[0], strict=True)),
            {
                "ID": "1",
                "ENDPOINT": "e",
                "AGENT": "10.0.0.1:1",
                "VERSION": "0.1.0",
                "STATUS": "active",
                "AGE": "1m30s",
                "STREAMS": "3",
                "BUSY": "1",
                "REQUESTS": "100",
                "IN": "2.0 KiB",
                "OUT": "500 B",
            },
        )
        with_tenant = _table(TUNNELS, {"total": 1, "tunnels": [_tunnel(1, tenant="t", agent_version="")]})
        cells = dict(zip(with_tenant.columns, with_tenant.rows[0], strict=True))
        self.assertEqual((cells["TENANT"], cells["VERSION"], cells["AGE"]), ("t", "-", "-"))

    def test_rates(self) -> None:
        """
        With something to compare there are columns by the second; what is new shows none.
        """
        before = TUNNELS.counters({"tunnels": [_tunnel(1), _tunnel(2)]})
        value: dict[str, object] = {
            "total": 3,
            "tunnels": [
                _tunnel(1, requests=125, bytes_received=2048 + 1024 * 50),
                _tunnel(2, since="2001-09-09T02:00:00Z", requests=1000),
                _tunnel(3),
            ],
        }
        grown = rates(before, TUNNELS.counters(value), 5.0)
        table = _table(TUNNELS, value, grown)
        shown = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
        self.assertEqual([row["REQ/S"] for row in shown], ["5.0", "-", "-"])
        self.assertEqual([row["IN/S"] for row in shown], ["10.0 KiB", "-", "-"])
        self.assertEqual([row["OUT/S"] for row in shown], ["0 B", "-", "-"])

    def test_spare(self) -> None:
        """
        A column can be left out.
        """
        table = Table(("A", "B", "C"), [["1", "2", "3"]], frozenset("B"), "above", ["B", "C"])
        self.assertEqual(table.without("B"), Table(["A", "C"], [["1", "3"]], frozenset("B"), "above", ["C"]))
        none_yet: Rates = {}
        for grown in (None, none_yet):
            table = _table(TUNNELS, {"total": 1, "tunnels": [_tunnel(1)]}, grown)
            for title in table.spare:
                table = table.without(title)
            self.assertIn("ENDPOINT", table.columns)

    def test_rates_of_odd_counters(self) -> None:
        """
        A counter that began anew, and no time at all, give no rates.
        """
        key = ((1,), "requests")
        self.assertEqual(rates({key: 10}, {key: 5}, 1.0), {})
        self.assertEqual(rates({key: 10}, {key: 15}, 0.0), {})
        self.assertEqual(rates({key: 10}, {key: 15}, 2.0), {key: 2.5})

    def test_note(self) -> None:
        """
        Who sees a part is told so.
        """
        self.assertIn("2 of 9", TUNNELS.note({"total": 9, "tunnels": [_tunnel(1), _tunnel(2)]}))
        self.assertEqual(TUNNELS.note({"total": 1, "tunnels": [_tunnel(1)]}), "")

    def test_hostile_cells(self) -> None:
        """
        What an agent says of itself cannot command a terminal.
        """
        table = _table(TUNNELS, {"total": 1, "tunnels": [_tunnel(1, endpoint="\x1b[2J", agent_version="\x9b1A\n")]})
        self.assertNotRegex("".join(table.rows[0]), "[\x00-\x1f\x7f-\x9f]")
        self.assertNotRegex("".join(_table(UPSTREAM_ENDPOINTS, {"\x1b": 1}).rows[0]), "\x1b")

    def test_units(self) -> None:
        """
        Sizes and ages are short.
        """
        for value, text in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (150 * 1024, "150 KiB"),
            (5 * 1024**3, "5.0 GiB"),
            (5 * 1024**5, "5120 TiB"),
            (None, "-"),
        ]:
            self.assertEqual(size(value), text)
        for seconds, text in [
            (-5.0, "0s"),
            (59.9, "59s"),
            (61.0, "1m01s"),
            (3600 * 3 + 120.0, "3h02m"),
            (86_400 * 12 + 3600 * 4.0, "12d04h"),
        ]:
            self.assertEqual(age(seconds), text)
