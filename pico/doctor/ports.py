"""
Can a node's ports be had, and do others reach them?
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial

import attrs
from twisted.internet.address import IPv4Address

from pico.config.addresses import Address, parse_address
from pico.doctor.finding import Finding, fail, ok, reason_of, warn
from pico.doctor.holders import Holder, find_holder
from pico.net.addresses import advertised

_NONCE = 16

_ANY = ("::", "0.0.0.0")
#: What stands for all addresses when there is none that leads to others.
_ALONE = "127.0.0.1"


@attrs.frozen
class Port:
    """
    A port of a node, or an agent's own.

    :ivar section: its section of the configuration.
    :ivar advertise: what others are told to dial; empty if that is worked out.
    :ivar told: whether others are told of it at all.
    """

    section: str
    address: Address
    advertise: str = ""
    told: bool = True

    @property
    def setting(self) -> str:
        """
        The setting that says where it is.
        """
        return f"{self.section}.bind_addr"

    @property
    def subject(self) -> str:
        """
        What it is called.
        """
        return f"{self.section.rpartition('.')[2]} port"


def look_at_ports(
    ports: list[Port],
    *,
    limit: float,
    running: Callable[[], str] = lambda: "",
    holder: Callable[[int], Holder | None] = find_holder,
) -> Iterator[Finding]:
    """
    Bind all ports, as the node would, and reach each of them under the address that others are told.

    :param limit: seconds for one connection.
    :param running: the id of a node that runs here already; empty if there is none.
    """
    bound: dict[Port, socket.socket] = {}
    try:
        for port in ports:
            try:
                bound[port] = bind(port.address)
            except OSError as error:
                same = next((other for other in bound if other.address.port == port.address.port), None)
                yield judge_bind(port, error, running, partial(holder, port.address.port), same)
            else:
                yield ok(port.subject, f"{port.address} can be bound")
        # Of a port that others hold it cannot be told who answers.
        for port, listening in bound.items():
            if port.told:
                yield reach(port, listening, limit)
    finally:
        for listening in bound.values():
            listening.close()


def bind(address: Address) -> socket.socket:
    """
    Listen where a node would.

    :raises OSError: it cannot be had.
    """
    if not address.host:
        try:
            return _listen(socket.AF_INET6, ("::", address.port))
        except OSError as error:
            if error.errno not in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL):
                raise
            return _listen(socket.AF_INET, ("0.0.0.0", address.port))
    found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    found.sort(key=lambda each: each[0] != socket.AF_INET)
    family, _, _, _, name = found[0]
    return _listen(family, name)


def _listen(family: int, name: tuple[object, ...]) -> socket.socket:
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0 if name[0] == "::" else 1)
        made.bind(name)
        made.listen(16)
    except OSError:
        made.close()
        raise
    return made


def judge_bind(
    port: Port,
    error: OSError,
    running: Callable[[], str],
    holder: Callable[[], Holder | None],
    same: Port | None = None,
) -> Finding:
    """
    Say why a port cannot be had.

    :param same: the port of this node that has the same address.
    """
    where, change = port.address, f"choose another with {port.setting}"
    if isinstance(error, socket.gaierror):
        return fail(port.subject, f"{where.host} is no name of this machine: {reason_of(error)}", f"{change}")
    if error.errno == errno.EADDRNOTAVAIL:
        return fail(
            port.subject,
            f"{where.host} is no address of this machine",
            f'{change}; ":{where.port}" is all addresses',
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return fail(
            port.subject,
            f"{where} may not be bound by this user",
            f"give the service CAP_NET_BIND_SERVICE (systemd: AmbientCapabilities=), or {change}",
        )
    if error.errno != errno.EADDRINUSE:
        return fail(port.subject, f"{where} cannot be bound: {reason_of(error)}", change)
    if same is not None:
        return fail(port.subject, f"{where} is also that of {same.setting}", change)
    node = running()
    if node:
        return warn(
            port.subject,
            f"{where} is held by a node that runs here, {node}",
            "to see whether a new one could start, stop that one first",
        )
    who = holder()
    if who is None:
        return fail(port.subject, f"{where} is in use", f"find out by whom (as root: ss -ltnp), or {change}")
    if who.pid == 1:
        return warn(
            port.subject,
            f"{where} is held by {who}",
            "nothing, if a socket unit passes it to this node; else see systemctl list-sockets",
        )
    return fail(port.subject, f"{where} is in use by {who}", f"stop that, or {change}")


def reach(port: Port, listening: socket.socket, limit: float) -> Finding:
    """
    Dial a port as others would.

    :param listening: nobody else takes connections from it.
    """
    name = listening.getsockname()
    setting = f"{port.section}.advertise_addr"
    text = advertised(port.advertise, IPv4Address("TCP", str(name[0]), int(name[1])))
    try:
        address = parse_address(text)
        if not address.host or not address.port:
            raise ValueError(f"{text!r} is nowhere to connect to")
    except ValueError as error:
        return fail(port.subject, f"{setting}: {error}", "write host:port as others reach it")
    if address.host == _ALONE and name[0] in _ANY and not port.advertise:
        return warn(
            port.subject,
            f"others are told {address}, because this machine has no other address",
            f"set {setting} if others are to reach it",
        )
    nonce = os.urandom(_NONCE)
    try:
        with closing(socket.create_connection((address.host, address.port), limit)) as client:
            client.sendall(nonce)
            arrived = arrives(listening, nonce, limit)
    except socket.gaierror as error:
        return fail(port.subject, f"{address.host} has no address: {reason_of(error)}", f"correct {setting}")
    except OSError as error:
        return warn(
            port.subject,
            f"others are told {address}, which cannot be reached from here: {reason_of(error)}",
            f"if others can, it is well; else correct {setting}, or open the packet filter",
        )
    if not arrived:
        return warn(
            port.subject,
            f"others are told {address}, where something else answers",
            f"if that passes connections on to this node, it is well; else correct {setting}",
        )
    return ok(port.subject, f"reachable as {address}")


def arrives(listening: socket.socket, nonce: bytes, limit: float) -> bool:
    """
    Tell whether a connection that brings these bytes comes in; others may come before it.
    """
    listening.settimeout(min(limit, 1.0))
    try:
        for _ in range(16):
            with closing(listening.accept()[0]) as accepted:
                accepted.settimeout(min(limit, 1.0))
                if accepted.recv(_NONCE) == nonce:
                    return True
    except OSError:
        pass
    return False
