"""
Twisted shells that know no Pico word: transports, ports, timers, splices, byte streams over WebSocket.

Imports ``pico.wire`` and ``pico.errors``. Doors: :mod:`pico.net.ports` (listen and dial),
:mod:`pico.net.splice` (join two connections), :mod:`pico.net.websocket` (a byte stream in WebSocket
messages), :mod:`pico.net.turn` and :mod:`pico.net.deadlines` (cheap timing for hot paths),
:mod:`pico.net.site` (a small HTTP site for operators). ``pico.net.http`` is a room of its own.
"""
