"""
Where traffic can go.

The registry of this node's tunnels, the choice among them and those of other nodes, the port that accepts tunnels, and
what asks agents to dial other nodes. Imports what lies below ``upstream`` in the import order. Doors:
:class:`pico.upstream.registry.Registry`, :class:`pico.upstream.port.UpstreamPort`,
:class:`pico.upstream.selector.Selector`.
"""
