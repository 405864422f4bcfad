"""
A byte stream in the binary messages of a WebSocket (RFC 6455), as Piko's tunnels carry it.

The frames are the business of the ``websockets`` library's Sans-I/O protocol, of which only documented names
are used; the upgrade is read and written with :mod:`pico.wire.http1`. Imports :mod:`pico.errors` and
``pico.wire.http1``. Doors: :mod:`pico.wire.websocket.handshake`, :mod:`pico.wire.websocket.stream`.
"""
