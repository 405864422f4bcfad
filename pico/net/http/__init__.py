"""
HTTP/1.1 over any Twisted transport, and the gateway that carries an exchange from one to another.

Imports ``pico.wire.http1``, ``pico.net`` and ``pico.errors``; knows no Pico word: what an endpoint, a tunnel or a
local service is comes in through the interfaces of :mod:`pico.net.http.gateway`. Doors:
:class:`pico.net.http.server.HTTPServerProtocol` (a connection that brings requests),
:class:`pico.net.http.client.HTTPClientProtocol` (a connection that takes them) and
:class:`pico.net.http.exchange.Exchange` (one request on its way from the first to the second).

Both protocols collect what they send while one batch of received bytes is worked through, and write it once at
the end of the batch: one system call a batch, not one a head, chunk and terminator.
"""
