"""
What keeps a node or an agent from doing its work here? Looked at without starting either.

Each module looks at one thing and says what it found as :class:`pico.doctor.finding.Finding`. What is judged is pure;
what is asked of the system blocks, each in a thread that nobody waits for longer than was allowed
(:mod:`pico.doctor.examine`), because a lookup of a name cannot be interrupted. Nothing here runs a reactor, and nothing
is changed: ports are bound for a moment, and an agent's node is asked in such a way that no tunnel comes of it.

It may import ``errors``, ``config``, ``wire``, ``net`` and ``client``. Doors: :mod:`pico.doctor.checks`, which says
what is looked at, and :func:`pico.doctor.examine.examine`.
"""
