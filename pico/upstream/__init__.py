"""
Where traffic can go.

The registry of this node's tunnels and the choice among them, and the port that accepts tunnels. Imports what lies
below ``upstream`` in the import order. Doors: :class:`pico.upstream.registry.Registry`,
:class:`pico.upstream.port.UpstreamPort`.
"""
