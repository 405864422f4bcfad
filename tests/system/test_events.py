"""
Event streams, read by a library that is made for them: ``httpx`` with ``httpx-sse``.
"""

from __future__ import annotations

import asyncio

import httpx
from httpx_sse import aconnect_sse, connect_sse

from tests.system.case import OneOfEachTestCase
from tests.system.processes import eventually
from tests.system.services import HTTPService

_HEADERS = {"x-pico-endpoint": "e"}

#: Readers at the same time.
READERS = 50


class EventTests(OneOfEachTestCase):
    """
    One node, one agent, one service.
    """

    @property
    def base(self) -> str:
        """
        The URL of the port for clients.
        """
        return f"http://127.0.0.1:{self.node.proxy}"

    def test_one_by_one(self) -> None:
        """
        Each event is there before the next one is made, and the stream's end is the end.
        """
        for framing in ("chunked", "close"):
            name = f"one-{framing}"
            with (
                httpx.Client(base_url=self.base, headers=_HEADERS, timeout=60, trust_env=False) as client,
                connect_sse(client, "GET", f"/sse/{name}?framing={framing}") as source,
            ):
                self.assertEqual(source.response.status_code, 200)
                events = source.iter_sse()
                for number in range(20):
                    self.service.push(name, f"event {number}")
                    self.assertEqual(next(events).data, f"event {number}")
                self.service.push(name, "")
                self.assertEqual(list(events), [])

    def test_together(self) -> None:
        """
        Fifty readers, while the same client asks for other things, each hear their own events only.
        """

        async def read(client: httpx.AsyncClient, number: int) -> list[str]:
            async with aconnect_sse(client, "GET", f"/sse/reader-{number}") as source:
                return [event.data async for event in source.aiter_sse()]

        async def push(client: httpx.AsyncClient) -> None:
            for step in range(10):
                for number in range(READERS):
                    self.service.push(f"reader-{number}", f"{number}/{step}")
                response = await client.get("/meanwhile")
                self.assertEqual(response.content, b"s: GET /meanwhile\n")
            for number in range(READERS):
                self.service.push(f"reader-{number}", "")

        async def run() -> list[list[str]]:
            limits = httpx.Limits(max_connections=None)
            async with httpx.AsyncClient(
                base_url=self.base, headers=_HEADERS, timeout=60, limits=limits, trust_env=False
            ) as client:
                reading = asyncio.gather(*(read(client, number) for number in range(READERS)))
                await push(client)
                return await reading

        heard = asyncio.run(run())
        self.assertEqual(heard, [[f"{number}/{step}" for step in range(10)] for number in range(READERS)])

    def test_reader_leaves(self) -> None:
        """
        A reader that leaves is seen to leave by the service, which goes on to say something.
        """
        service = self.scene.run(HTTPService("left"))
        self.scene.agent(self.node, "left", service.port)
        with (
            httpx.Client(base_url=self.base, timeout=60, trust_env=False) as client,
            connect_sse(client, "GET", "/sse/x", headers={"x-pico-endpoint": "left"}) as source,
        ):
            service.push("x", "hello")
            self.assertEqual(next(source.iter_sse()).data, "hello")
            self.assertEqual(service.open, 1)

        def left() -> bool:
            service.push("x", "anybody there?")
            return service.open == 0

        eventually(left, "the service's connection to end")
