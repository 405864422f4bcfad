"""
A yamux session as a Twisted thing, and its streams as transports.

Imports :mod:`pico.errors`, ``wire`` and ``net``. Doors: :class:`pico.tunnel.session.TunnelSession`, a
protocol above any carrier of bytes, and :class:`pico.tunnel.stream.TunnelStream`, a transport like a TCP
connection's. Why a stream lost its connection stands in :mod:`pico.tunnel.reasons`.
"""
