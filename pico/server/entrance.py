"""
A port of a node: what to bind, and what listens there.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence

import attrs
from twisted.internet.defer import DeferredList
from twisted.internet.interfaces import IAddress, IListeningPort, IProtocolFactory, IReactorTCP

from pico.config.addresses import Address
from pico.net.addresses import advertised, text_of_pair
from pico.net.ports import adopt_tcp, listen_tcp
from pico.net.transport import address_of

#: The first port that needs no rights.
_UNPRIVILEGED = 1024


@attrs.frozen
class Binding:
    """
    A port to bind.

    :ivar setting: its name in the configuration, for the message when it cannot be bound.
    :ivar advertise: what others shall dial; empty to work it out from what was bound.
    :ivar inherited: sockets that listen already; if there are any, ``address`` is not bound.
    :ivar max_unsent: see :func:`pico.net.ports.limit_unsent`.
    """

    setting: str
    address: Address
    advertise: str
    factory: IProtocolFactory
    inherited: Sequence[socket.socket] = ()
    max_unsent: int = 0


class Entrance:
    """
    What listens for one binding.

    :ivar host: the address that it listens on; the first of several. Known once it was bound, and with an inherited
        socket before that.
    """

    def __init__(self, binding: Binding, reactor: IReactorTCP) -> None:
        self._binding = binding
        self._reactor = reactor
        self._ports: list[IListeningPort] = []
        self.host: IAddress | None = address_of(binding.inherited[0].getsockname()) if binding.inherited else None

    @property
    def inherited(self) -> bool:
        """
        Whether its socket was there before this process.
        """
        return bool(self._binding.inherited)

    @property
    def privileged(self) -> bool:
        """
        Whether its port may need rights that the process does not keep.
        """
        return 0 < self._binding.address.port < _UNPRIVILEGED

    @property
    def advertised(self) -> str:
        """
        How others reach it.
        """
        assert self.host is not None
        return advertised(self._binding.advertise, self.host)

    @property
    def shown(self) -> str:
        """
        The address as it is written in the configuration, with the port that was really bound.
        """
        asked = self._binding.address
        host = asked.host if not self.inherited else str(getattr(self.host, "host", ""))
        port = getattr(self.host, "port", asked.port)
        return text_of_pair((host, port))

    def open(self) -> None:
        """
        Listen.

        :raises pico.errors.ListenError: the port cannot be had.
        """
        binding = self._binding
        for each in binding.inherited:
            self._ports.append(adopt_tcp(self._reactor, each, binding.factory, max_unsent=binding.max_unsent))
        if not binding.inherited:
            address = binding.address
            port = listen_tcp(
                self._reactor,
                address.host,
                address.port,
                binding.factory,
                setting=binding.setting,
                max_unsent=binding.max_unsent,
            )
            self._ports.append(port)
            self.host = port.getHost()

    async def close(self) -> None:
        """
        Listen no more; what was accepted lives on.
        """
        ports, self._ports = self._ports, []
        stopping = [port.stopListening() for port in ports]
        await DeferredList([each for each in stopping if each is not None], consumeErrors=True)
