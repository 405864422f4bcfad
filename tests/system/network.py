"""
A network of the test's own: hosts on a bridge, each in a network namespace, with a packet filter that loses what the
test wants lost.

The test itself stands on the bridge too, at :attr:`Network.gateway`. A partition is packets that are dropped without a
word, as on a real network: an interface that is taken down would answer at once.
"""

from __future__ import annotations

import atexit
import itertools
import os
import subprocess
from collections.abc import Sequence

from twisted.trial.unittest import SkipTest

from tests.system.processes import clean_environment

_numbers = itertools.count(os.getpid() % 50)

#: The table of the packet filter, with a chain for what comes in and one for what goes out.
_TABLE = """
table inet pico {
    chain in { type filter hook input priority 0; policy accept; }
    chain out { type filter hook output priority 0; policy accept; }
}
"""


class Host:
    """
    A machine in the network.

    :ivar address: of its one interface.
    """

    def __init__(self, name: str, address: str) -> None:
        self.name = name
        self.address = address

    def command(self, command: Sequence[str]) -> list[str]:
        """
        The same command, run there.
        """
        return ["ip", "netns", "exec", self.name, *command]

    def drop(self, other: Host) -> None:
        """
        Lose all packets between this host and another one.
        """
        self._filter(f"add rule inet pico in ip saddr {other.address} drop")
        self._filter(f"add rule inet pico out ip daddr {other.address} drop")

    def lose(self, other: Host, percent: int) -> None:
        """
        Lose so many of a hundred packets that come from another one.
        """
        self._filter(f"add rule inet pico in ip saddr {other.address} numgen random mod 100 < {percent} drop")

    def heal(self) -> None:
        """
        Lose nothing any more.
        """
        self._filter("flush table inet pico")

    def _filter(self, rules: str) -> None:
        _run(*self.command(["nft", "-f", "-"]), stdin=rules)


class Network:
    """
    A bridge, and hosts on it. Needs root, ``ip`` and ``nft``.

    :ivar gateway: the test's own address on it.
    """

    def __init__(self) -> None:
        if os.geteuid() != 0:
            raise SkipTest("network namespaces need root")
        number = next(_numbers)
        self._name = f"pt{os.getpid()}.{number}"[:12]
        self._net = f"10.213.{number % 250}"
        self.gateway = f"{self._net}.254"
        self._hosts: list[Host] = []
        atexit.register(self.close)
        _run("ip", "link", "add", self._name, "type", "bridge")
        _run("ip", "addr", "add", f"{self.gateway}/24", "dev", self._name)
        _run("ip", "link", "set", self._name, "up")

    def host(self) -> Host:
        """
        Add a host.
        """
        number = len(self._hosts)
        host = Host(f"{self._name}-{number}", f"{self._net}.{number + 1}")
        _run("ip", "netns", "add", host.name)
        self._hosts.append(host)
        outer, inner = self._cable(number), "eth0"
        _run("ip", "link", "add", outer, "type", "veth", "peer", "name", inner, "netns", host.name)
        _run("ip", "link", "set", outer, "master", self._name, "up")
        _run(*host.command(["ip", "link", "set", "lo", "up"]))
        _run(*host.command(["ip", "addr", "add", f"{host.address}/24", "dev", inner]))
        _run(*host.command(["ip", "link", "set", inner, "up"]))
        _run(*host.command(["nft", "-f", "-"]), stdin=_TABLE)
        return host

    def _cable(self, number: int) -> str:
        return f"{self._name}{chr(ord('a') + number)}"

    def isolate(self, host: Host) -> None:
        """
        Lose all packets between a host and all others, but not those of the test.
        """
        for other in self._hosts:
            if other is not host:
                host.drop(other)

    def lose(self, percent: int) -> None:
        """
        Lose so many of a hundred packets between all hosts, but none of the test.
        """
        for host in self._hosts:
            for other in self._hosts:
                if other is not host:
                    host.lose(other, percent)

    def close(self) -> None:
        """
        Take it down; harmless if that was done.
        """
        atexit.unregister(self.close)
        hosts, self._hosts = self._hosts, []
        for number, host in enumerate(hosts):
            # A namespace lives until its last process is gone; its cable need not.
            subprocess.run(["ip", "link", "del", self._cable(number)], check=False, capture_output=True)
            subprocess.run(["ip", "netns", "del", host.name], check=False, capture_output=True)
        subprocess.run(["ip", "link", "del", self._name], check=False, capture_output=True)


def _run(*command: str, stdin: str = "") -> None:
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False, env=clean_environment())
    if done.returncode:
        raise AssertionError(f"{' '.join(command)}: {done.stderr.strip() or done.stdout.strip()}")
