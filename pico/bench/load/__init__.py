"""
How much does a node that runs somewhere carry? Agents and clients in one program, against any node.

The pure parts are the plan, the pace, the histogram and the tally; ``upstreams`` and ``requests`` are Twisted's, on a
reactor and a clock that they are given. It may import ``errors``, ``config``, ``wire``, ``net`` and ``client``. Doors:
:class:`pico.bench.load.run.Run`, :func:`pico.bench.load.run.make_upstreams` and
:func:`pico.bench.load.run.make_requests`.
"""
