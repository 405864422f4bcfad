"""
Can a node take part in a cluster: does it get its datagrams, who can join, and where are the others?
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing

from pico.config.addresses import Address
from pico.doctor.finding import Finding, fail, ok, reason_of, warn
from pico.gossip.seeds import parse_seed

_SUBJECT = "gossip port"
_LOOPBACK = ("localhost", "127.0.0.1", "::1")

#: Addresses of other nodes that are dialled.
_DIALLED = 8

#: What a lookup finds: the addresses of a name.
Lookup = Callable[[str, int], Sequence[str]]


def look_at_datagrams(address: Address, running: Callable[[], str] = lambda: "") -> Iterator[Finding]:
    """
    Bind the UDP port, as the node would.

    :param running: the id of a node that runs here already; empty if there is none.
    """
    try:
        bind_datagrams(address).close()
    except OSError as error:
        yield judge_datagrams(address, error, running)
    else:
        yield ok(_SUBJECT, f"{address} can be bound for UDP")


def bind_datagrams(address: Address) -> socket.socket:
    """
    Take datagrams where a node would.

    :raises OSError: it cannot be had.
    """
    if not address.host and socket.has_ipv6:
        try:
            return _bound(socket.AF_INET6, ("::", address.port))
        except OSError as error:
            if error.errno not in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL):
                raise
    host = address.host or "0.0.0.0"
    found = socket.getaddrinfo(host, address.port, type=socket.SOCK_DGRAM, flags=socket.AI_PASSIVE)
    found.sort(key=lambda each: each[0] != socket.AF_INET)
    family, _, _, _, name = found[0]
    return _bound(family, name)


def judge_datagrams(address: Address, error: OSError, running: Callable[[], str]) -> Finding:
    """
    Say why the UDP port cannot be had. What is wrong with the address itself is told of the TCP port.
    """
    if error.errno == errno.EADDRINUSE:
        node = running()
        if node:
            return warn(
                _SUBJECT,
                f"{address} is held for UDP by a node that runs here, {node}",
                "stop that node first, if this is to take its place",
            )
        return fail(
            _SUBJECT,
            f"{address} is in use for UDP",
            f"see who holds it: ss -lunp 'sport = :{address.port}'; or choose another with cluster.gossip.bind_addr",
        )
    return fail(
        _SUBJECT,
        f"{address} cannot be bound for UDP: {reason_of(error)}",
        "choose another with cluster.gossip.bind_addr",
    )


def look_at_secrets(secrets: int, address: Address) -> Iterator[Finding]:
    """
    Who can join this cluster?

    :param secrets: how many there are.
    """
    if secrets:
        yield ok("cluster.secret_keys", f"{'one is' if secrets == 1 else f'{secrets} are'} set: gossip is sealed")
    elif address.host in _LOOPBACK:
        yield ok("cluster.secret_keys", "none is set, and only this machine reaches the port")
    else:
        yield warn(
            "cluster.secret_keys",
            f"none is set: whoever reaches {address} can join, and see and change what goes where",
            "give all nodes the same: openssl rand -hex 32; or bind cluster.gossip.bind_addr to 127.0.0.1 for a node "
            "that is to be alone",
        )


def look_up(host: str, port: int) -> Sequence[str]:
    """
    All addresses of a name.

    :raises OSError: it has none.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError:
        raise OSError(0, "not a name") from None
    return list(dict.fromkeys(str(name[0]) for _, _, _, _, name in found))


def answers(host: str, port: int, limit: float) -> bool:
    """
    Whether something takes connections there.
    """
    try:
        with closing(socket.create_connection((host, port), limit)):
            return True
    except OSError:
        return False


def look_at_seeds(
    seeds: Sequence[str],
    default_port: int,
    *,
    must_join: bool,
    limit: float,
    lookup: Lookup = look_up,
    answer: Callable[[str, int, float], bool] = answers,
) -> Iterator[Finding]:
    """
    Where are the others?

    :param seeds: what ``cluster.join`` says; one at the least.
    :param default_port: of those that name none.
    :param must_join: whether a node that finds nobody stops.
    :param limit: seconds for dialling all of them.
    """
    found: list[tuple[str, int]] = []
    missing: list[tuple[str, str]] = []
    for seed in seeds:
        subject = f"seed {seed}"
        host, port = parse_seed(seed, default_port)
        try:
            addresses = lookup(host, port)
        except OSError as error:
            missing.append((subject, f"{host} has no address: {reason_of(error)}"))
            continue
        found += ((address, port) for address in addresses)
        if list(addresses) != [host]:
            yield ok(subject, f"{host} is {', '.join(addresses)}")
    advice = "correct cluster.join, or see what knows the name: getent hosts NAME; nodes look it up again and again"
    for subject, text in missing:
        yield fail(subject, text, advice) if must_join and not found else warn(subject, text, advice)
    if found:
        dialled = found[:_DIALLED]
        up = [where for where in dialled if answer(*where, limit / len(dialled))]
        yield _others(dialled, up, must_join=must_join)


def _others(dialled: Sequence[tuple[str, int]], up: Sequence[tuple[str, int]], *, must_join: bool) -> Finding:
    if up:
        return ok("other nodes", f"{len(up)} of {len(dialled)} addresses of cluster.join take connections")
    stops = "; a node that finds none stops, unless cluster.abort_if_join_fails=false" if must_join else ""
    return warn(
        "other nodes",
        f"none of {len(dialled)} addresses of cluster.join takes connections{stops}",
        "nothing, if this is the first of them; else start them, and open their ports for TCP and UDP",
    )


def _bound(family: int, name: tuple[object, ...]) -> socket.socket:
    made = socket.socket(family, socket.SOCK_DGRAM)
    try:
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0 if name[0] == "::" else 1)
        made.bind(name)
    except OSError:
        made.close()
        raise
    return made
