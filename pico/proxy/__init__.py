"""
The port the world talks to.

Routing, header rules, the table of failures, and the record of each request. The exchange itself is
:mod:`pico.net.http.exchange`. Upstreams are seen through :class:`pico.interfaces.ISelector` only. Door:
:class:`pico.proxy.port.ProxyPort`.
"""
