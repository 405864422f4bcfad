"""
Many byte streams over one: the yamux protocol, both roles, as Piko and hashicorp/yamux speak it.

Pure: imports :mod:`pico.errors` and the standard library only, holds no clock and does no IO. The door is
:class:`pico.wire.yamux.session.Session`; what it returns stands in :mod:`pico.wire.yamux.events`, what it
keeps per stream in :mod:`pico.wire.yamux.stream`, what it bounds in :mod:`pico.wire.yamux.limits`.
"""
