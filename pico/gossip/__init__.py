"""
Versioned keys that every member of a group publishes and every other member learns, and who is alive.

Generic: it knows no Pico word. Imports ``pico.errors`` and ``pico.net``. Everything is pure but
:mod:`pico.gossip.udp`, :mod:`pico.gossip.stream` and :mod:`pico.gossip.names`. Doors:
:class:`pico.gossip.udp.Gossip`, a member on a UDP port; :class:`pico.gossip.member.Member`, the core below it;
:class:`pico.gossip.exchange.Exchange`, a member's full state over any stream. ``docs/gossip.md`` has the design and
every byte.
"""
