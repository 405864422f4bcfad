"""
What Pico means by a cluster: who is in it, what each node serves, and the links that carry traffic between nodes.

Imports what lies below ``cluster`` in the import order; it sees the tunnels of its own node only through
:class:`pico.cluster.relay.LocalUpstreams` and a callback, and links see other nodes only through
:class:`pico.cluster.members.Members`. :mod:`~pico.cluster.schema`, :mod:`~pico.cluster.table` and
:mod:`~pico.cluster.publish` are pure. Doors: :class:`pico.cluster.membership.Membership`, a node's part in the cluster;
:class:`pico.cluster.accept.LinkPort`, where other nodes connect; :class:`pico.cluster.remote.Remotes`, the endpoints
that other nodes serve.
"""
