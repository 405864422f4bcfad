"""
Load balancers in front of nodes: nginx, which looks at nobody and retries nothing, and HAProxy, which asks ``/ready``.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from tests.system.case import Scene
from tests.system.http_client import Client
from tests.system.nginx import Nginx
from tests.system.processes import Program, eventually, free_port
from tests.tools import tool

#: Workers that were replaced go on with what they have. Clients get a connection for each request: nginx closes idle
#: ones when it is told of another configuration, be it under a request.
_NGINX = """
    client_body_buffer_size 64k;
    keepalive_timeout 0;
    upstream nodes {{ {servers} keepalive 64; }}
    server {{
        listen 127.0.0.1:{port} backlog=2048;
        location / {{
            proxy_pass http://nodes;
            proxy_next_upstream off;
            proxy_http_version 1.1;
            proxy_set_header Host $http_host;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $connection_upgrade;
            proxy_buffering off;
            proxy_read_timeout 1h;
        }}
    }}
"""

#: ``retries`` are for connections that could not be made; no request is ever sent twice.
_HAPROXY = """
global
    maxconn 8000
defaults
    timeout connect 5s
    timeout client 1h
    timeout server 1h
    timeout tunnel 1h
    retries {retries}
    {redispatch}
    option httpchk GET /ready
    http-check expect status 200
    default-server inter 200ms fall 2 rise 1
listen clients
    bind 127.0.0.1:{clients}
    mode http
    balance roundrobin
{proxies}
listen agents
    bind 127.0.0.1:{agents}
    mode tcp
    balance roundrobin
{upstreams}
"""


@attrs.frozen
class Backend:
    """
    Where a node takes clients, agents and operators.
    """

    name: str
    proxy: int
    upstream: int
    admin: int


class NginxBalancer:
    """
    For clients.

    :ivar port: where it listens.
    """

    def __init__(self, scene: Scene, backends: Sequence[Backend]) -> None:
        """
        Start it and wait until it listens.
        """
        self.port = free_port()
        self._nginx = Nginx(scene, self._inside(backends), self.port)

    def use(self, backends: Sequence[Backend]) -> None:
        """
        Have it use these from now on. It may still send requests to others for a moment.
        """
        self._nginx.use(self._inside(backends))

    def _inside(self, backends: Sequence[Backend]) -> str:
        servers = " ".join(f"server 127.0.0.1:{each.proxy} max_fails=0;" for each in backends)
        return _NGINX.format(port=self.port, servers=servers)


class HAProxy:
    """
    For clients and for agents.

    :ivar clients: where it listens for clients.
    :ivar agents: where it listens for agents.
    """

    def __init__(self, scene: Scene, backends: Sequence[Backend], *, retries: int = 0) -> None:
        """
        Start it and wait until it knows a node.

        :param backends: all that there may be; it finds out which of them are there.
        :param retries: how often another node is dialled when one takes no connection.
        """
        self.clients, self.agents = free_port(), free_port()
        line = "    server {0} 127.0.0.1:{1} check port {2}"
        text = _HAPROXY.format(
            retries=retries,
            redispatch="option redispatch 1" if retries else "",
            clients=self.clients,
            agents=self.agents,
            proxies="\n".join(line.format(each.name, each.proxy, each.admin) for each in backends),
            upstreams="\n".join(line.format(each.name, each.upstream, each.admin) for each in backends),
        )
        path = scene.directory / "haproxy.cfg"
        path.write_text(text)
        self.program: Program = scene.start("haproxy", [tool("haproxy"), "-db", "-f", str(path)])
        eventually(self._listens, "HAProxy to listen")

    def _listens(self) -> bool:
        Client(self.clients).close()
        Client(self.agents).close()
        return True
