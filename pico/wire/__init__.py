"""
Bytes and events of every protocol that Pico speaks, and the timed rules of its connections.

Pure: no Twisted, no clock, no random numbers, no logging. Imports ``pico.errors`` and ``pico.names`` only. Every stream
core has ``receive_data(data)`` and ``receive_eof()``, which return events, and verbs that make bytes. A core never
raises for a fault of the peer: its last event is ``Failed``, after which it ignores input, so that what came before the
fault in the same bytes is not lost. Timed cores are told what time it is.

The verbs of :mod:`pico.wire.http1` return the bytes to send instead of queueing them: a body piece that needs no frame
is then passed on without being touched.
"""
