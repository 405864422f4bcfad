"""
What systemd and a service say to each other: sockets that are passed on (sd_listen_fds(3)), and notifications
(sd_notify(3), sd_watchdog_enabled(3)). Other supervisors that speak this are as good.

What was said is read from the environment by pure functions; the shell below them holds the sockets. Without those
variables nothing here does anything.
"""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Collection, Mapping, MutableMapping, Sequence

import attrs
from twisted.logger import Logger

from pico.errors import ListenError

_VARIABLES = (
    "NOTIFY_SOCKET",
    "WATCHDOG_USEC",
    "WATCHDOG_PID",
    "LISTEN_FDS",
    "LISTEN_PID",
    "LISTEN_FDNAMES",
)

#: The first descriptor that is passed (SD_LISTEN_FDS_START).
_FIRST = 3


@attrs.frozen
class Descriptor:
    """
    A descriptor that was passed.

    :ivar name: what ``FileDescriptorName=`` of its socket unit says.
    """

    name: str
    number: int


@attrs.frozen
class Supervision:
    """
    What the supervisor wants to hear.

    :ivar address: where to send it: a path, or an abstract name behind ``@``; empty for nothing and nowhere.
    :ivar watchdog: seconds within which it wants a sign of life; 0 for none.
    """

    address: str = ""
    watchdog: float = 0.0


def take_variables(environ: MutableMapping[str, str]) -> dict[str, str]:
    """
    Take what is for this process alone out of the environment, so that its children do not get it.
    """
    return {name: environ.pop(name) for name in _VARIABLES if name in environ}


def parse_supervision(variables: Mapping[str, str], pid: int) -> Supervision:
    """
    Read where notifications go, and how often.

    :param pid: this process; a watchdog may be meant for another one.
    """
    address = variables.get("NOTIFY_SOCKET", "")
    usec = variables.get("WATCHDOG_USEC", "")
    meant = variables.get("WATCHDOG_PID", str(pid)) == str(pid)
    return Supervision(address, int(usec) / 1e6 if address and meant and _is_number(usec) else 0.0)


def parse_descriptors(variables: Mapping[str, str], pid: int) -> Sequence[Descriptor]:
    """
    Read which descriptors were passed.

    :raises ListenError: that makes no sense.
    """
    count = variables.get("LISTEN_FDS")
    if count is None or variables.get("LISTEN_PID") != str(pid):
        return ()
    if not _is_number(count):
        raise ListenError(f"LISTEN_FDS={count} is not a number of sockets")
    names = variables["LISTEN_FDNAMES"].split(":") if variables.get("LISTEN_FDNAMES") else []
    if names and len(names) != int(count):
        raise ListenError(f"LISTEN_FDNAMES has {len(names)} names for {count} sockets")
    names = names or ["unknown"] * int(count)
    return [Descriptor(name, _FIRST + index) for index, name in enumerate(names)]


def message_of(fields: Mapping[str, str]) -> bytes:
    """
    Write a notification: a line for each field.
    """
    return "\n".join(f"{name}={' '.join(value.split())}" for name, value in fields.items()).encode()


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 20


def inherited_sockets(descriptors: Sequence[Descriptor], known: Collection[str]) -> dict[str, list[socket.socket]]:
    """
    Make sockets of the descriptors that were passed, by name; there may be several of one name.

    :param known: the names that there is a use for.
    :raises ListenError: there is another name, or something that is not a listening TCP socket. All are closed then.
    """
    taken: dict[str, list[socket.socket]] = {}
    try:
        for descriptor in descriptors:
            if descriptor.name not in known:
                raise ListenError(
                    f'there is no use for the passed socket named "{descriptor.name}": '
                    f"FileDescriptorName= must be one of {', '.join(known)}"
                )
            taken.setdefault(descriptor.name, []).append(_listening_socket(descriptor))
    except ListenError:
        for sockets in taken.values():
            for each in sockets:
                each.close()
        raise
    return taken


def _listening_socket(descriptor: Descriptor) -> socket.socket:
    what = f'what was passed as "{descriptor.name}" (descriptor {descriptor.number})'
    try:
        if not stat.S_ISSOCK(os.fstat(descriptor.number).st_mode):
            raise ListenError(f"{what} is not a socket")
        made = socket.socket(fileno=descriptor.number)
    except OSError as error:
        raise ListenError(f"{what} cannot be used: {error.strerror}") from error
    if made.type != socket.SOCK_STREAM or made.family not in (socket.AF_INET, socket.AF_INET6):
        made.close()
        raise ListenError(f"{what} is not a TCP socket: write ListenStream= with a port")
    if not made.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        made.close()
        raise ListenError(f"{what} does not listen: write Accept=no")
    made.set_inheritable(False)
    made.setblocking(False)
    return made


class Notifier:
    """
    Send notifications. One that cannot be sent is logged, once, and else forgotten.
    """

    _log = Logger(namespace="systemd")

    def __init__(self, address: str) -> None:
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._failed = False

    def send(self, *, patience: float = 0.0, **fields: str) -> None:
        """
        Send one.

        :param patience: seconds to wait, with everything else standing still, for room in the receiver's queue; for
            what is said only once.
        """
        self._socket.settimeout(patience)
        try:
            self._socket.sendto(message_of(fields), self._address)
        except OSError as error:
            if not self._failed:
                self._log.warn("cannot notify the supervisor: {error}", error=error)
            self._failed = True

    def close(self) -> None:
        """
        Send no more.
        """
        self._socket.close()
