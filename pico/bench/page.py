"""
The page of the manual.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pico.bench.measures import GOSSIP, ONE_NODE, TWO_NODES, Table
from pico.bench.plot import plot_lines
from pico.bench.report import Report, Row, median_rows, spread_rows

_BEFORE = """\
# Benchmarks

<!-- Written by `make bench`; changes by hand are lost with the next run. -->

How fast Pico is depends on the machine, so these figures compare: in one run, on one machine, the same small
answer and the same large bodies travel to the same origin on three ways.

- **origin alone**: the client asks the origin, an nginx with one worker.
- **nginx → nginx**: two nginx in between, one worker each, with kept connections and no logs. A tunnel has
  two hops, too, so this is about what it costs at the least, written in C.
- **Pico**: `pico server` and `pico agent`, one process each, as an operator starts them; access log off,
  metrics on, and as many kept connections to the origin as nginx has.

In each round the three take turns, and a ratio is Pico's figure divided by that of nginx → nginx *in the same
round*. Tables show medians over the rounds, and the least and the most. Goals are for the medians.
"""

#: What stands before each table, by its title.
_INTRODUCTIONS: Mapping[str, Sequence[str]] = {
    ONE_NODE.title: (),
    TWO_NODES.title: (
        """\
A client at one node, an agent at another: client → node → node → agent → origin. Both nodes are joined by gossip with
a secret; the client knows one alone, the agent the other alone, and the second node's count of what crossed the link
proves that everything did. Beside it are the same nginx → nginx, and one nginx more in front of them, which is what a
third hop costs there. Ratios are to nginx → nginx.
""",
    ),
    GOSSIP.title: (
        """\
How soon every node knows what has changed, and what that costs: nodes in memory, with real endpoints' keys and values,
all datagrams sealed, on a network that takes half a millisecond. All nodes together serve the endpoints of the first
row and change them at the rate of the second, one after the other. CPU is that of a whole core.
""",
    ),
}

_AFTER = """\
## What is measured

- **requests, latency**: wrk, one thread, on kept connections; the answer's body has 33 bytes. Every side is
  sent the same `x-pico-endpoint` header. Client, origin and what stands between share the CPUs of the
  machine. At one connection most of the latency is that of idle CPUs being woken, once a hop; it falls when
  something else keeps them awake, so look at how far the rounds lie apart.
- **what metrics and access logs cost**: Pico beside itself, in the same round. Without metrics is a node that counts
  no requests and an agent without a port of its own, so that it counts none either; with metrics both do. Access
  logs are text, of node and agent, each to a file; they are compared with Pico as above.
- **CPU a request**: the time that both hops spent on a CPU, by the kernel's count, divided by the requests.
- **64 MiB down and up**: by a client that reads into one buffer and writes from one. Downloads are a file of
  the origin. Uploads end at a small sink that reads them whole and answers then; all sides use the same,
  since nginx has no location that does it. Both nginx in between read and write in pieces of 64 KiB, as Pico
  does, which makes them faster than their defaults do.
- **memory gained**: the peak of the resident memory during the large bodies, less what it was before the
  first. The goal says that bodies are not collected anywhere.
- **two nodes**: measured like requests and bodies, in turns of their own. A hop's CPU is beside that of nginx at the
  same place.
- **gossip**: simulated in one process, once and not in each round. So its times are exact and come out the same
  again, and its CPU is this machine's: that of the process divided by the nodes, with the network in memory and the
  counting in it. What real sockets cost comes on top: the CPU to send and to receive a datagram of 1,000 bytes over
  loopback, measured apart in a process that sleeps in between, for each datagram that a node received. A death is
  noticed when all others hold the node for unreachable; several die in turn, at different points of an interval.
- **tunnels**: opened in one burst by a program that asks for the upgrade like an agent, each for an endpoint
  of its own, 64 at a time, and is silent then. The node is fresh each time. Memory is what its resident
  memory has grown by once all are open, divided by their number; what the kernel keeps for a socket comes on
  top.
- **from start to ready**: from the command until `/ready` answers 200.

Repeat it with `make bench`, or `pico bench nginx --quick` for a first impression. It needs nginx and wrk (Debian:
`apt-get install nginx-light wrk`), an otherwise idle machine, 4 GiB of memory for the simulation of a hundred nodes,
and a quarter of an hour.
"""


def make_page(report: Report) -> str:
    """
    Write the page.
    """
    parts = [_BEFORE, *_notes(report)]
    for table in report.tables:
        parts += _section(report, table)
    parts += ["## Conditions\n", _table([("", ""), *report.facts]), _AFTER]
    parts.append("## Configuration\n")
    for name, text in report.configs.items():
        language = "yaml" if name.endswith(".yaml") else "nginx"
        parts.append(f"`{name}`:\n\n```{language}\n{text}```\n")
    return "\n".join(parts)


def _section(report: Report, table: Table) -> list[str]:
    parts = [f"## {table.title}\n", *_INTRODUCTIONS[table.title], _table(median_rows(report, table))]
    if report.repeated(table):
        parts += ["Least and most of the rounds:\n", _table(spread_rows(report, table))]
    if table is GOSSIP:
        parts.append("".join(f"{line}\n" for line in ("```text", *plot_lines(report.figures), "```")))
    return parts


def _notes(report: Report) -> list[str]:
    if not report.figures.faults:
        return []
    return [
        "Something went wrong in this run, so its figures prove nothing:\n",
        *_items(report.figures.faults),
    ]


def _items(texts: Sequence[str]) -> list[str]:
    return ["".join(f"- {text}\n" for text in texts)]


def _table(rows: Sequence[Row]) -> str:
    """
    Rows, the head first, in Markdown. Figures stand to the right.
    """
    head, *rest = rows
    columns = len(head)
    rule = ["---", *("---:" if columns > 2 else "---" for _ in head[1:])]
    return "".join(f"| {' | '.join(cell.strip() for cell in row)} |\n" for row in (head, rule, *rest))
