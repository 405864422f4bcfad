"""
What a datagram costs, sent and received with real sockets: a program that the benchmark runs as a child.

One is thrown back and forth between two ports of this process, in the reactor of a node, each time after a pause. So
the process sleeps in between, as one does that hears gossip now and then, and what it costs to wake it counts.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence

from twisted.internet.interfaces import IReactorTime
from twisted.internet.protocol import DatagramProtocol

from pico.bench.faults import BenchError
from pico.gossip.udp import MAX_DATAGRAM
from pico.net.addresses import port_of
from pico.net.ports import listen_udp
from pico.net.reactor import install

_HOST = "127.0.0.1"

#: Bytes of each: gossip's have up to 1,400, and most are shorter.
_SIZE = 1000

#: Seconds before one is thrown back.
_PAUSE = 0.002

#: The first ones are not counted.
_WARM_UP = 100

#: Seconds after which something is wrong: datagrams get lost, too.
_PATIENCE = 60.0


class Thrower(DatagramProtocol):
    """
    Throws back what it gets.
    """

    def __init__(self, clock: IReactorTime, caught: Callable[[], object]) -> None:
        """
        :param caught: called for each.
        """
        self._caught = caught
        self._clock = clock

    def datagramReceived(self, datagram: bytes, addr: tuple[str, int]) -> None:
        """
        Throw it back in a moment.
        """
        self._caught()
        self._clock.callLater(_PAUSE, self._throw, datagram, addr)

    def _throw(self, datagram: bytes, addr: tuple[str, int]) -> None:
        assert self.transport is not None
        self.transport.write(datagram, addr)


def measure(count: int) -> float:
    """
    Throw a datagram so many times. Runs the reactor, so it works once in a process.

    :return: seconds of CPU to send and to receive one.
    :raises BenchError: one was lost.
    """
    reactor = install()
    left = _WARM_UP + count
    began = 0.0
    spent = 0.0

    def caught() -> None:
        nonlocal left, began, spent
        left -= 1
        if left == count:
            began = time.process_time()
        elif left == 0:
            spent = time.process_time() - began
            reactor.stop()

    one, other = Thrower(reactor, caught), Thrower(reactor, caught)
    listen_udp(reactor, _HOST, 0, one, setting="", max_size=MAX_DATAGRAM)
    port = listen_udp(reactor, _HOST, 0, other, setting="", max_size=MAX_DATAGRAM)
    assert one.transport is not None
    one.transport.write(bytes(_SIZE), (_HOST, port_of(port.getHost())))
    giving_up = reactor.callLater(_PATIENCE, reactor.stop)
    reactor.run()
    if giving_up.active():
        giving_up.cancel()
    if left > 0:
        raise BenchError(f"{left} datagrams of {_WARM_UP + count} have not come within {_PATIENCE:g} s")
    return spent / count


def main(arguments: Sequence[str]) -> None:
    """
    Print the seconds.

    :param arguments: how many datagrams.
    """
    try:
        print(json.dumps({"seconds": measure(int(arguments[0]))}))
    except BenchError as error:
        raise SystemExit(str(error)) from None


if __name__ == "__main__":
    main(sys.argv[1:])
