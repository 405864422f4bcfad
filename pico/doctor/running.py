"""
Does a node run here already?
"""

from __future__ import annotations

import http.client
import json

from pico.config.addresses import Address

_MAX_ANSWER = 65_536


def running_node(admin: Address, limit: float) -> str:
    """
    Ask the admin port for the id of its node.

    :param limit: seconds for each wait.
    :return: empty if no node answers.
    """
    host = admin.host if admin.host not in ("", "0.0.0.0", "::") else "localhost"
    connection = http.client.HTTPConnection(host, admin.port, timeout=limit)
    try:
        connection.request("GET", "/status/cluster/nodes", headers={"Connection": "close"})
        response = connection.getresponse()
        return parse_nodes(response.read(_MAX_ANSWER)) if response.status == 200 else ""
    except (OSError, http.client.HTTPException):
        return ""
    finally:
        connection.close()


def parse_nodes(body: bytes) -> str:
    """
    Read the id of the first node; empty if this is no list of nodes.
    """
    try:
        nodes = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    if not isinstance(nodes, list) or not nodes or not isinstance(nodes[0], dict):
        return ""
    name = nodes[0].get("id", "")
    return name if isinstance(name, str) and name.isprintable() and "proxy_addr" in nodes[0] else ""
