"""
What a node has answered, in the forms that people and programs read: documents and tables. Pure.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

import attrs
import yaml

from pico.cli.status_client import Reply, printable
from pico.errors import PicoError

#: A time of day as nodes write it.
_MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")

#: What tells rows of a table apart from one time to the next.
RowKey = tuple[object, ...]

#: From rows and counters to how much they grow in a second.
Rates = Mapping[tuple[RowKey, str], float]


@attrs.frozen
class Table:
    """
    Rows of text.

    :ivar right: the titles of columns of numbers.
    :ivar spare: the titles of columns that may be left out where there is no room, the first of them first.
    :ivar caption: what belongs to no row; empty for nothing.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    right: frozenset[str] = frozenset()
    caption: str = ""
    spare: Sequence[str] = ()

    def without(self, title: str) -> Table:
        """
        The same with a column less.
        """
        index = list(self.columns).index(title)
        columns, *rows = ([*row[:index], *row[index + 1 :]] for row in (self.columns, *self.rows))
        spare = [other for other in self.spare if other != title]
        return attrs.evolve(self, columns=columns, rows=rows, spare=spare)


@attrs.frozen
class Form:
    """
    How the answer to one question is shown.

    :ivar document: makes what YAML and JSON show.
    :ivar table: makes a table of a document; the rates are ``None`` where there is nothing to compare with, ever.
    :ivar counters: finds the counters of a document by row and name.
    :ivar blank_line: whether YAML ends with an empty line, as it always did for this question.
    :ivar note: what else the user should know of a document; empty for nothing.
    """

    document: Callable[[object], object]
    table: Callable[[Reply, Rates | None], Table]
    counters: Callable[[object], Mapping[tuple[RowKey, str], float]] = lambda document: {}
    note: Callable[[object], str] = lambda document: ""
    blank_line: bool = False


class Moment(str):
    """
    A time of day; YAML shows it as one.
    """

    __slots__ = ()


class _Dumper(yaml.SafeDumper):
    def moment(self, moment: Moment) -> yaml.Node:
        """
        Write a time as it is, without quotes.
        """
        return self.represent_scalar("tag:yaml.org,2002:timestamp", str(moment))


_Dumper.add_representer(Moment, _Dumper.moment)


def as_yaml(document: object) -> str:
    """
    Write a document as YAML, with a newline at its end.
    """
    text: str = yaml.dump(
        document, Dumper=_Dumper, sort_keys=False, default_flow_style=False, allow_unicode=True, width=1_000_000
    )
    return text


def as_json(document: object, *, compact: bool = False) -> str:
    """
    Write a document as JSON, with a newline at its end.

    :param compact: on one line.
    """
    return json.dumps(document, indent=None if compact else 2) + "\n"


def rates(
    before: Mapping[tuple[RowKey, str], float], after: Mapping[tuple[RowKey, str], float], seconds: float
) -> Rates:
    """
    How much counters have grown in a second; of one that is new, or has begun anew, nothing is known.
    """
    if seconds <= 0:
        return {}
    return {
        key: (value - before[key]) / seconds for key, value in after.items() if key in before and value >= before[key]
    }


# Forms


#: What a node may be in the eyes of others.
STATUSES = ("active", "unreachable", "leaving", "left")


def _nodes_document(value: object) -> dict[str, object]:
    return {"nodes": sorted(_records(value), key=lambda node: str(node.get("id", "")))}


def nodes_form(status: str | None) -> Form:
    """
    The form of nodes, all or those of one status.
    """

    def document(value: object) -> object:
        return {"nodes": [node for node in _records(_nodes_document(value)["nodes"]) if node.get("status") == status]}

    return NODES if status is None else attrs.evolve(NODES, document=document)


def _nodes_table(reply: Reply, rates: Rates | None) -> Table:
    columns = ("ID", "STATUS", "PROXY", "ADMIN", "ENDPOINTS", "UPSTREAMS")
    names = ("id", "status", "proxy_addr", "admin_addr", "endpoints", "upstreams")
    rows = [[_text(node, name) for name in names] for node in _records(_field(reply.value, "nodes"))]
    return Table(columns, rows, frozenset(columns[4:]))


def _node_document(value: object) -> object:
    return _sorted_in(_mapping(value), "endpoints")


def _node_table(reply: Reply, rates: Rates | None) -> Table:
    node = _mapping(reply.value)
    caption = "  ".join(
        f"{title} {_text(node, name)}"
        for title, name in (("node", "id"), ("status", "status"), ("proxy", "proxy_addr"), ("admin", "admin_addr"))
    )
    return attrs.evolve(_endpoints_table(Reply(node.get("endpoints") or {}), None), caption=caption)


def _endpoints_document(value: object) -> object:
    return dict(sorted(_mapping(value).items()))


def _endpoints_table(reply: Reply, rates: Rates | None) -> Table:
    columns = ("ENDPOINT", "UPSTREAMS")
    rows = [[printable(name), _shown(count)] for name, count in _mapping(reply.value).items()]
    return Table(columns, rows, frozenset(columns[1:]))


def _proxy_document(value: object) -> object:
    return {"endpoints": _endpoints_document(value)}


def _proxy_table(reply: Reply, rates: Rates | None) -> Table:
    endpoints = _mapping(_field(reply.value, "endpoints"))
    rows = [
        [printable(name) if not index else "", _shown(address)]
        for name, addresses in endpoints.items()
        for index, address in enumerate(addresses if isinstance(addresses, list) else [])
    ]
    return Table(("ENDPOINT", "AGENT"), rows)


def _tunnels_document(value: object) -> object:
    document = _mapping(value)
    _records(_field(document, "tunnels"))
    return document


def _tunnel_key(tunnel: Mapping[str, object]) -> RowKey:
    # A node that was restarted numbers its tunnels anew.
    return (tunnel.get("id"), tunnel.get("since"))


_COUNTERS = ("requests", "bytes_received", "bytes_sent")


def _tunnels_counters(document: object) -> Mapping[tuple[RowKey, str], float]:
    found: dict[tuple[RowKey, str], float] = {}
    for tunnel in _records(_field(document, "tunnels")):
        for name in _COUNTERS:
            value = tunnel.get(name)
            if isinstance(value, int | float):
                found[(_tunnel_key(tunnel), name)] = value
    return found


def _tunnels_table(reply: Reply, rates: Rates | None) -> Table:
    tunnels = _records(_field(reply.value, "tunnels"))
    tenants = any("tenant" in tunnel for tunnel in tunnels)
    head = ("ID", *(("TENANT",) if tenants else ()), "ENDPOINT", "AGENT", "VERSION", "STATUS", "AGE")
    numbers: tuple[str, ...] = ("STREAMS", "BUSY", "REQUESTS", "IN", "OUT")
    spare = ["VERSION", "STREAMS", "STATUS", "AGE"]
    if rates is not None:
        numbers = ("STREAMS", "BUSY", "REQUESTS", "REQ/S", "IN", "IN/S", "OUT", "OUT/S")
        spare = ["VERSION", "IN", "OUT", *spare[1:], "REQUESTS"]
    rows = []
    for tunnel in tunnels:
        key = _tunnel_key(tunnel)
        cells = {
            "ID": _text(tunnel, "id"),
            "TENANT": _text(tunnel, "tenant"),
            "ENDPOINT": _text(tunnel, "endpoint"),
            "AGENT": _text(tunnel, "agent_addr"),
            "VERSION": _text(tunnel, "agent_version") or "-",
            "STATUS": _text(tunnel, "status"),
            "AGE": _age(tunnel.get("since"), reply.now),
            "STREAMS": _text(tunnel, "streams"),
            "BUSY": _text(tunnel, "in_flight"),
            "REQUESTS": _text(tunnel, "requests"),
            "IN": size(tunnel.get("bytes_received")),
            "OUT": size(tunnel.get("bytes_sent")),
        }
        if rates is not None:
            asked = rates.get((key, "requests"))
            cells["REQ/S"] = "-" if asked is None else f"{asked:.1f}"
            cells["IN/S"] = size(rates.get((key, "bytes_received")))
            cells["OUT/S"] = size(rates.get((key, "bytes_sent")))
        rows.append([cells[title] for title in (*head, *numbers)])
    return Table((*head, *numbers), rows, frozenset(("ID", "AGE", *numbers)), spare=spare)


def _tunnels_note(document: object) -> str:
    shown = len(_records(_field(document, "tunnels")))
    total = _mapping(document).get("total")
    if isinstance(total, int) and total > shown:
        return f"these are {shown} of {total} tunnels; --limit shows more, --endpoint those of one endpoint"
    return ""


def _members_document(value: object) -> object:
    return {"nodes": [_member(member) for member in sorted(_records(value), key=lambda each: str(each.get("id", "")))]}


def _members_table(reply: Reply, rates: Rates | None) -> Table:
    columns = ("ID", "ADDR", "VERSION", "STATUS", "FORGOTTEN IN")
    rows = [
        [
            _text(member, "id"),
            _text(member, "addr"),
            _text(member, "version"),
            _standing(member),
            _until(member.get("expiry"), reply.now) if _standing(member) != "alive" else "",
        ]
        for member in _records(_field(reply.value, "nodes"))
    ]
    return Table(columns, rows, frozenset(("VERSION", "FORGOTTEN IN")))


def _member_document(value: object) -> object:
    given = _mapping(value)
    entries = _records(given.get("Entries") or [])
    member = _member({name: each for name, each in given.items() if name not in ("Entries", "Total")})
    total = {"total": given["Total"]} if "Total" in given else {}
    return {"nodemetadata": member, "entries": entries, **total}


def _member_table(reply: Reply, rates: Rates | None) -> Table:
    member = _mapping(_field(reply.value, "nodemetadata"))
    caption = "  ".join(
        f"{title} {_text(member, name)}" for title, name in (("node", "id"), ("addr", "addr"), ("version", "version"))
    )
    rows = [
        [
            _text(entry, "version"),
            _text(entry, "key"),
            _text(entry, "value"),
            " ".join(name for name in ("internal", "deleted") if entry.get(name)),
        ]
        for entry in _records(_field(reply.value, "entries"))
    ]
    caption = f"{caption}  status {_standing(member)}"
    return Table(("VERSION", "KEY", "VALUE", ""), rows, frozenset(("VERSION",)), caption)


def _member_note(document: object) -> str:
    shown = len(_records(_field(document, "entries")))
    total = _mapping(document).get("total")
    if isinstance(total, int) and total > shown:
        return f"these are {shown} of {total} entries, the oldest; --limit shows more"
    return ""


def _member(record: dict[str, object]) -> dict[str, object]:
    expiry = str(record.get("expiry"))
    return {**record, "expiry": Moment(expiry)} if _MOMENT.fullmatch(expiry) else record


def _standing(member: Mapping[str, object]) -> str:
    return "left" if member.get("left") else "unreachable" if member.get("unreachable") else "alive"


NODES = Form(_nodes_document, _nodes_table)
NODE = Form(_node_document, _node_table)
UPSTREAM_ENDPOINTS = Form(_endpoints_document, _endpoints_table)
PROXY_ENDPOINTS = Form(_proxy_document, _proxy_table)
GOSSIP_NODES = Form(_members_document, _members_table, blank_line=True)
GOSSIP_NODE = Form(_member_document, _member_table, note=_member_note, blank_line=True)
TUNNELS = Form(_tunnels_document, _tunnels_table, _tunnels_counters, _tunnels_note)


# Cells


def size(value: object) -> str:
    """
    Bytes, in the unit that leaves at most four digits.
    """
    if not isinstance(value, int | float):
        return "-"
    number = float(value)
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if abs(number) < 1024 or unit == "TiB":
            break
        number /= 1024
    return f"{number:.0f} {unit}" if unit == "B" or number >= 100 else f"{number:.1f} {unit}"


def age(seconds: float) -> str:
    """
    A span of time, in its two largest units.
    """
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02}s"
    if whole < 86_400:
        return f"{whole // 3600}h{whole % 3600 // 60:02}m"
    return f"{whole // 86_400}d{whole % 86_400 // 3600:02}h"


def _age(since: object, now: float | None) -> str:
    try:
        begin = datetime.fromisoformat(str(since)).timestamp()
    except ValueError:
        return "-"
    return age(now - begin) if now is not None else "-"


def _until(moment: object, now: float | None) -> str:
    try:
        end = datetime.fromisoformat(str(moment)).timestamp()
    except (ValueError, OverflowError):
        return "-"
    return age(end - now) if now is not None else "-"


def _text(record: Mapping[str, object], name: str) -> str:
    return _shown(record.get(name, ""))


def _shown(value: object) -> str:
    return "" if value is None else printable(str(value))


# Answers


def _mapping(value: object) -> dict[str, object]:
    if not isinstance(value, dict):
        raise _strange()
    return value


def _records(value: object) -> list[dict[str, object]]:
    if not isinstance(value, list):
        raise _strange()
    return [_mapping(each) for each in value]


def _field(value: object, name: str) -> object:
    return _mapping(value).get(name)


def _sorted_in(record: dict[str, object], name: str) -> dict[str, object]:
    return {**record, name: dict(sorted(_mapping(record.get(name) or {}).items()))}


def _strange() -> PicoError:
    return PicoError("the answer is not what a node says; is this the admin port of a node of this version?")
