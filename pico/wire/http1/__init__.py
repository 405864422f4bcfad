"""
HTTP/1.1 and 1.0 messages, both directions (RFC 9112), read strictly.

Whatever could be read in two ways is refused and never repaired. Doors: :mod:`pico.wire.http1.server` reads requests
and writes responses, :mod:`pico.wire.http1.client` the other way round. ``docs/http.md`` has the table of refusals.
"""
