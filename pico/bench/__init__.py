"""
How fast is it here? Pico beside nginx, on one machine, in one run.

``make bench``, ``pico bench nginx`` and ``python -m pico.bench`` run it. Three sides carry the same traffic to the
same origin: the origin alone, nginx → nginx, and a node with an agent. Two more have a hop more: one nginx more, and
two nodes. Gossip is simulated for clusters of several sizes. All of them are child processes, Pico's started with the
commands that an operator types; so this room imports :mod:`pico.errors`, the version, whether the wire is compiled, and
the standard library alone, besides attrs. It imports no Twisted: it waits for one child after the other.

:mod:`pico.bench.load` is another thing: load for any node, with Twisted.

Doors: :func:`pico.bench.main.run_bench`; what is measured stands in :mod:`pico.bench.measures`, how in
:mod:`pico.bench.stages` and :mod:`pico.bench.gossip`. The modules ``bodies``, ``sink``, ``tunnels``, ``uncounted``,
``spreading`` and ``datagrams`` are programs that run as children; the last three need Twisted.
"""
