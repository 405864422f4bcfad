"""
What load to make.
"""

from __future__ import annotations

import attrs

#: Bounds of a plan, beyond which the machine rather than the node would be measured.
MAX_CLIENTS = 10_000
MAX_UPSTREAMS = 100_000
MAX_SIZE = 64 * 1024 * 1024

#: Endpoints are called so, followed by a number from 0.
PREFIX = "bench-"


@attrs.frozen
class Upstreams:
    """
    Tunnels.

    :ivar count: how many.
    :ivar endpoints: they are spread over so many endpoints, one after the other.
    """

    count: int
    endpoints: int

    def check(self) -> None:
        """
        Be sure that it makes sense.

        :raises ValueError: names the flag.
        """
        if not 0 <= self.count <= MAX_UPSTREAMS:
            raise ValueError(f"--upstreams must be from 0 to {MAX_UPSTREAMS:,}")
        if self.endpoints < 1:
            raise ValueError("--endpoints must be 1 at least")
        if self.count and self.endpoints > self.count:
            raise ValueError(
                f"--endpoints {self.endpoints} is more than --upstreams {self.count}: some would have no tunnel"
            )

    def endpoint(self, number: int) -> str:
        """
        The endpoint of a tunnel.
        """
        return endpoint_name(number % self.endpoints)


@attrs.frozen
class Requests:
    """
    Requests.

    :ivar clients: connections, each with one request at a time.
    :ivar size: bytes of each body, which must come back; 0 for GET without one.
    :ivar rate: requests a second of all clients together; 0 for as many as are answered.
    :ivar timeout: seconds for one.
    """

    count: int
    clients: int
    endpoints: int
    size: int
    rate: float = 0.0
    timeout: float = 30.0

    def check(self) -> None:
        """
        Be sure that it makes sense.

        :raises ValueError: names the flag.
        """
        if self.count < 1:
            raise ValueError("--requests must be 1 at least")
        if not 1 <= self.clients <= MAX_CLIENTS:
            raise ValueError(f"--clients must be from 1 to {MAX_CLIENTS:,}")
        if self.endpoints < 1:
            raise ValueError("--endpoints must be 1 at least")
        if self.size > MAX_SIZE:
            raise ValueError("--size must be 64MiB at most")
        if self.timeout <= 0:
            raise ValueError("--timeout must be more than 0")


def endpoint_name(number: int) -> str:
    """
    The name of an endpoint.
    """
    return f"{PREFIX}{number}"
