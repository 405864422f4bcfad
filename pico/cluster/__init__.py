"""
What Pico means by a cluster, and the links that carry traffic between nodes.

Imports what lies below ``cluster`` in the import order; it sees the tunnels of its own node only through
:class:`pico.cluster.accept.LocalUpstreams`, and other nodes through :class:`pico.cluster.members.Members`. Doors:
:class:`pico.cluster.accept.LinkPort`, where other nodes connect, and :class:`pico.cluster.remote.Remotes`, the
endpoints that other nodes serve.
"""
