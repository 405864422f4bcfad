"""
Configurations with ten faults each, for the tests of the room and for those of the command.
"""

from __future__ import annotations

import attrs


@attrs.frozen
class Planted:
    """
    A fault that must be found.

    :ivar problem: a part of what must be said about it.
    """

    line: int
    path: str
    problem: str


NODE_FILE = """\
proxy:
  bind_adr: ":8000"
  timeout: 30
  attempts: many
  retry_buffer: lots
  trusted_proxies: [10.0.0.0/8, nonsense]
  tls: {cert: a.pem, key: a.key}
  http: fast
upstream:
  bind_addr: "::1:8001"
log:
  level: infoo
  level: info
"""

NODE_FAULTS = [
    Planted(2, "proxy.bind_adr", "unknown key (did you mean bind_addr?)"),
    Planted(3, "proxy.timeout", "'30' is not a duration"),
    Planted(4, "proxy.attempts", "'many' is not a whole number"),
    Planted(5, "proxy.retry_buffer", "'lots' is not a size"),
    Planted(6, "proxy.trusted_proxies[1]", "'nonsense' is neither an address nor a network"),
    Planted(7, "proxy.tls", "Pico has no TLS on its ports yet"),
    Planted(8, "proxy.http", "must hold keys and values"),
    Planted(10, "upstream.bind_addr", "write an IPv6 address in brackets"),
    Planted(12, "log.level", "'infoo' is not one of debug, info, warn, error (did you mean info?)"),
    Planted(13, "log.level", "is given twice, first in line 12"),
]

AGENT_FILE = """\
connect:
  url: {http: x}
  timeout: 0
  tokn: secret
listeners:
  - endpoint: my-endpoint
    addr: localhost
  - addr: 4000
    rewrite_host: maybe
  - my-endpoint:4000
  - endpoint_id: other
    addr: ftp://localhost
grace_period: 1 minute
"""

AGENT_FAULTS = [
    Planted(2, "connect.url", "must be a list of words (URL, or several)"),
    Planted(3, "connect.timeout", "'0' is too little; the least is 1ms"),
    Planted(4, "connect.tokn", "unknown key (did you mean token?)"),
    Planted(6, "listeners[0].endpoint", "unknown key (did you mean endpoint_id?)"),
    Planted(7, "listeners[0].addr", "'localhost' has no port"),
    Planted(8, "listeners[1]", "missing endpoint_id"),
    Planted(9, "listeners[1].rewrite_host", "'maybe' is neither true nor false"),
    Planted(10, "listeners[2]", "is not ENDPOINT/ADDR"),
    Planted(12, "listeners[3].addr", "the scheme must be http or https"),
    Planted(13, "grace_period", "'1 minute' is not a duration"),
]
