"""
Does a node run here already?
"""

from __future__ import annotations

import http.client
import json

from pico.config.addresses import Address

#: Bytes of an answer that are read; its endpoints make it long.
_MAX_ANSWER = 64 * 1024 * 1024


def running_node(admin: Address, limit: float) -> str:
    """
    Ask the admin port for the id of its node.

    :param limit: seconds for each wait.
    :return: empty if no node answers.
    """
    host = admin.host if admin.host not in ("", "0.0.0.0", "::") else "localhost"
    connection = http.client.HTTPConnection(host, admin.port, timeout=limit)
    try:
        connection.request("GET", "/status/cluster/nodes/local", headers={"Connection": "close"})
        response = connection.getresponse()
        return parse_node(response.read(_MAX_ANSWER)) if response.status == 200 else ""
    except (OSError, http.client.HTTPException):
        return ""
    finally:
        connection.close()


def parse_node(body: bytes) -> str:
    """
    Read a node's id; empty if this is not what a node says of itself.
    """
    try:
        node = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    name = node.get("id", "") if isinstance(node, dict) and "proxy_addr" in node else ""
    return name if isinstance(name, str) and name.isprintable() else ""
