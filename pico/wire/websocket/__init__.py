"""
A byte stream in the binary messages of a WebSocket (RFC 6455), as Piko's tunnels carry it.

The upgrade is read and written with :mod:`pico.wire.http1`; the ``websockets`` library masks, in C. Imports
:mod:`pico.errors` and ``pico.wire.http1``. Doors: :mod:`pico.wire.websocket.handshake`,
:mod:`pico.wire.websocket.stream`.
"""
