"""
Clients that never retry and compare every body.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable

from tests.system.http_client import AsyncClient, Broken, Malformed

#: Seconds after which a client that could not connect tries again.
_AGAIN = 0.02


class Load:
    """
    Clients that go on until they are told to stop.

    :ivar served: answers that were right.
    :ivar wrong: the others, each with what was asked.
    :ivar moments: when each of the others came, by :func:`time.monotonic`.
    :ivar gap: the longest time without a right answer, in seconds.
    """

    def __init__(
        self,
        port: int,
        clients: int,
        posts: bool = True,
        *,
        host: str = "127.0.0.1",
        endpoint: str = "e",
        bearable: int = 20,
    ) -> None:
        """
        :param posts: whether a third of the requests are POSTs with bodies; else all are GETs.
        :param bearable: wrong answers after which the clients give up.
        """
        self._host = host
        self._port = port
        self._clients = clients
        self._posts = posts
        self._endpoint = endpoint
        self._bearable = bearable
        self._last = 0.0
        self.served = 0
        self.wrong: list[str] = []
        self.moments: list[float] = []
        self.gap = 0.0
        self.stopping = False

    async def run(self, plan: Callable[[], Awaitable[None]], at_least: int) -> None:
        """
        Send requests while ``plan`` runs, and on until ``at_least`` were served.
        """
        self._last = time.monotonic()
        clients = [asyncio.create_task(self._client(number)) for number in range(self._clients)]
        try:
            await plan()
            while self.served < at_least and len(self.wrong) < self._bearable:
                await asyncio.sleep(0.02)
        finally:
            self.stopping = True
            await asyncio.gather(*clients)

    async def until(self, served: int) -> None:
        """
        Wait until so many more were served, or the clients have given up.
        """
        before = self.served
        while self.served < before + served and len(self.wrong) < self._bearable:
            await asyncio.sleep(0.02)

    async def _client(self, number: int) -> None:
        client: AsyncClient | None = None
        count = 0
        while not self.stopping and len(self.wrong) < self._bearable:
            count += 1
            name = f"{number}-{count}"
            method = "POST" if self._posts and count % 3 == 0 else "GET"
            try:
                if client is None:
                    client = await AsyncClient.connect(self._port, self._host)
                if method == "POST":
                    body = os.urandom(1 + (count * 977) % 30_000)
                    response = await client.exchange("POST", f"/echo?{name}", body=body, endpoint=self._endpoint)
                    right = response.status == 200 and response.body == body
                else:
                    response = await client.exchange("GET", f"/{name}", endpoint=self._endpoint)
                    right = response.status == 200 and response.body.endswith(f": GET /{name}\n".encode())
            except (Broken, Malformed, OSError) as error:
                self._note(f"{method} {name}: {error!r}")
                if client is None:
                    await asyncio.sleep(_AGAIN)
                else:
                    client.close()
                    client = None
                continue
            now = time.monotonic()
            if right:
                self.served += 1
                self.gap = max(self.gap, now - self._last)
                self._last = now
            else:
                self._note(f"{method} {name}: {response.status} {response.body[:100]!r}")
            if not response.keep_alive:
                client.close()
                client = None

    def _note(self, what: str) -> None:
        self.wrong.append(what)
        self.moments.append(time.monotonic())


def under_load(plan: Callable[[], Awaitable[None]], *loads: Load) -> None:
    """
    Run all loads while a plan runs.
    """

    async def run() -> None:
        ended = asyncio.Event()

        async def wait() -> None:
            await ended.wait()

        running = [asyncio.create_task(load.run(wait, at_least=0)) for load in loads]
        try:
            await plan()
        finally:
            ended.set()
            await asyncio.gather(*running)

    asyncio.run(run())
