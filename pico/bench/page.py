"""
The page of the manual.
"""

from __future__ import annotations

from collections.abc import Sequence

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
- **tunnels**: opened in one burst by a program that asks for the upgrade like an agent, each for an endpoint
  of its own, 64 at a time, and is silent then. The node is fresh each time. Memory is what its resident
  memory has grown by once all are open, divided by their number; what the kernel keeps for a socket comes on
  top.
- **from start to ready**: from the command until `/ready` answers 200.

Repeat it with `make bench`, or `pico bench nginx --quick` for a first impression. It needs nginx and wrk (Debian:
`apt-get install nginx-light wrk`), an otherwise idle machine, and some minutes.
"""


def make_page(report: Report) -> str:
    """
    Write the page.
    """
    parts = [_BEFORE, "## Figures\n", *_notes(report), _table(median_rows(report))]
    if report.repeated:
        parts += ["Least and most of the rounds:\n", _table(spread_rows(report))]
    parts += ["## Conditions\n", _table([("", ""), *report.facts]), _AFTER]
    parts.append("## Configuration\n")
    for name, text in report.configs.items():
        language = "yaml" if name.endswith(".yaml") else "nginx"
        parts.append(f"`{name}`:\n\n```{language}\n{text}```\n")
    return "\n".join(parts)


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
