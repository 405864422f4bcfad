"""
Tests for :mod:`pico.client.upgrade`.
"""

from __future__ import annotations

from collections.abc import Iterator

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pico.client.upgrade import MAX_REFUSAL, Accepted, Refused, Upgrade
from pico.wire.http1.headers import HeaderCache
from pico.wire.websocket.handshake import accept_key, check_request
from tests.heads import request_head

KEY = b"dGhlIHNhbXBsZSBub25jZQ=="

SWITCHED = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: " + accept_key(KEY) + b"\r\n"
)

Outcome = Accepted | Refused | None


def upgrade() -> Upgrade:
    """
    One that has asked.
    """
    return Upgrade(b"/pico/v1/upstream/e", [b"Host: node"], KEY, HeaderCache())


def answer(status: bytes, body: bytes = b"", *lines: bytes) -> bytes:
    """
    A refusal with a length.
    """
    head = [b"HTTP/1.1 " + status, b"Content-Length: %d" % len(body), *lines, b"", b""]
    return b"\r\n".join(head) + body


def json(status: bytes, body: bytes, *lines: bytes) -> bytes:
    """
    A refusal in JSON.
    """
    return answer(status, body, b"Content-Type: application/json; charset=utf-8", *lines)


CASES: dict[str, tuple[bytes, Outcome]] = {
    "a Piko server": (SWITCHED + b"\r\n", Accepted("", frozenset())),
    "a Pico node": (
        SWITCHED + b"x-pico-node: node-1\r\nX-Pico-Capabilities: go-away, teleport\r\n\r\n",
        Accepted("node-1", frozenset({"go-away"})),
    ),
    "a node that says its proxy port": (
        SWITCHED + b"x-pico-node: node-1\r\nx-pico-proxy-port: 18000\r\n\r\n",
        Accepted("node-1", frozenset(), 18000),
    ),
    "a node with a strange port": (SWITCHED + b"x-pico-proxy-port: 70000\r\n\r\n", Accepted("", frozenset())),
    "a node with no port": (SWITCHED + b"x-pico-proxy-port: -1\r\n\r\n", Accepted("", frozenset())),
    "a node with a strange id": (SWITCHED + b"x-pico-node: a\xffb\r\n\r\n", Accepted("aÿb", frozenset())),
    "an interim answer first": (
        b"HTTP/1.1 103 Early Hints\r\n\r\n" + SWITCHED + b"\r\n",
        Accepted("", frozenset()),
    ),
    "a wrong key": (
        SWITCHED.replace(accept_key(KEY), KEY) + b"\r\n",
        Refused("the server's Sec-WebSocket-Accept does not fit"),
    ),
    "another protocol": (
        SWITCHED.replace(b"websocket", b"h2c") + b"\r\n",
        Refused("the server did not switch to a WebSocket"),
    ),
    "a token that is not good": (
        json(b"401 Unauthorized", b'{"error":"invalid token"}\n'),
        Refused("401: invalid token", 401),
    ),
    "no JSON": (answer(b"404 Not Found", b"404 page not found"), Refused("404: Not Found", 404)),
    "JSON by another name": (
        answer(b"400 Bad Request", b'{"error":"x"}', b"Content-Type: text/plain"),
        Refused("400: Bad Request", 400),
    ),
    "broken JSON": (json(b"502 Bad Gateway", b'{"error":'), Refused("502: Bad Gateway", 502)),
    "JSON without error": (json(b"502 Bad Gateway", b'{"message":"x"}'), Refused("502: Bad Gateway", 502)),
    "JSON that is no object": (json(b"502 Bad Gateway", b'["error"]'), Refused("502: Bad Gateway", 502)),
    "an error that is no text": (json(b"502 Bad Gateway", b'{"error":{}}'), Refused("502: Bad Gateway", 502)),
    "an error for the terminal": (
        json(b"400 Bad Request", b'{"error":"\\u001b[2Jred\\nblue"}'),
        Refused("400: [2Jred blue", 400),
    ),
    "a long error": (
        json(b"400 Bad Request", b'{"error":"' + b"x" * 900 + b'"}'),
        Refused("400: " + "x" * 200, 400),
    ),
    "JSON too deep": (json(b"400 Bad Request", b"[" * 1000), Refused("400: Bad Request", 400)),
    "more than is looked at": (
        json(b"400 Bad Request", b'{"error":"x","more":"' + b"y" * 2000 + b'"}'),
        Refused("400: Bad Request", 400),
    ),
    "no reason": (answer(b"403 "), Refused("403: refused", 403)),
    "a redirect": (
        answer(b"301 Moved Permanently", b"", b"Location: /"),
        Refused("301: Moved Permanently", 301),
    ),
    "200": (answer(b"200 OK", b"hello"), Refused("200: OK", 200)),
    "in chunks": (
        b"HTTP/1.1 503 Busy\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
        b'8\r\n{"error"\r\n9\r\n:"later"}\r\n0\r\n\r\n',
        Refused("503: later", 503),
    ),
    "come back later": (
        json(b"503 Service Unavailable", b'{"error":"node is draining"}', b"Retry-After: 7"),
        Refused("503: node is draining", 503, 7.0),
    ),
    "come back when it makes no sense": (
        answer(b"404 Not Found", b"", b"Retry-After: 7"),
        Refused("404: Not Found", 404),
    ),
    "not HTTP": (b"SSH-2.0-OpenSSH_9.6\r\n\r\n", Refused("it does not speak HTTP: malformed status line")),
    "bad framing": (
        b"HTTP/1.1 401 No\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        Refused("it does not speak HTTP: more than one Content-Length"),
    ),
    "a broken body": (
        b"HTTP/1.1 401 No\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n",
        Refused("401: No", 401),
    ),
    "half a head": (b"HTTP/1.1 101 Swi", None),
    "half a body": (b"HTTP/1.1 401 No\r\nContent-Length: 9\r\n\r\n{", None),
    "a body up to the end": (b"HTTP/1.1 401 No\r\nContent-Type: application/json\r\n\r\n{}", None),
    "an interim answer alone": (b"HTTP/1.1 103 Early Hints\r\n\r\n", None),
    "nothing": (b"", None),
}


def cut(data: bytes) -> Iterator[list[bytes]]:
    """
    Whole, byte by byte and in two at every place.
    """
    yield [data]
    yield [data[i : i + 1] for i in range(len(data))]
    for place in range(1, len(data)):
        yield [data[:place], data[place:]]


def outcome_of(pieces: list[bytes]) -> Outcome:
    """
    What comes of an answer in pieces.
    """
    asked = upgrade()
    for piece in pieces:
        outcome = asked.receive_data(piece)
        if outcome is not None:
            return outcome
    return None


class UpgradeTests(SynchronousTestCase):
    """
    Request and answer.
    """

    def test_request(self) -> None:
        """
        What is sent is a request that a server accepts.
        """
        head = request_head(upgrade().request)
        self.assertEqual(KEY, check_request(head))
        self.assertEqual((b"/pico/v1/upstream/e", b"node"), (head.target, head.host))

    def test_table(self) -> None:
        """
        Every answer means the same however it is cut.
        """
        for name, (data, expected) in CASES.items():
            for pieces in cut(data):
                self.assertEqual(expected, outcome_of(pieces), (name, pieces))

    def test_leftover(self) -> None:
        """
        What comes right behind the 101 belongs to the WebSocket.
        """
        asked = upgrade()
        self.assertIsInstance(asked.receive_data(SWITCHED + b"\r\n\x82\x01x"), Accepted)
        self.assertEqual(b"\x82\x01x", asked.take_leftover())

    def test_end(self) -> None:
        """
        When the connection ends early, what came of a refusal is used.
        """
        for name, expected in {
            "nothing": Refused("it closed the connection without an answer"),
            "half a head": Refused("it closed the connection without an answer"),
            "an interim answer alone": Refused("it closed the connection without an answer"),
            "half a body": Refused("401: No", 401),
            "a body up to the end": Refused("401: No", 401),
        }.items():
            asked = upgrade()
            asked.receive_data(CASES[name][0])
            self.assertEqual(expected, asked.receive_eof(), name)

    def test_end_of_a_body(self) -> None:
        """
        A body that ends with the connection is complete then.
        """
        asked = upgrade()
        asked.receive_data(b'HTTP/1.1 401 No\r\nContent-Type: application/json\r\n\r\n{"error":"expired token"}')
        self.assertEqual(Refused("401: expired token", 401), asked.receive_eof())

    def test_giving_up(self) -> None:
        """
        When nobody waits any more, what came of a refusal is used.
        """
        self.assertEqual(Refused("it did not answer in time"), upgrade().give_up())
        asked = upgrade()
        asked.receive_data(CASES["half a body"][0])
        self.assertEqual(Refused("401: No", 401), asked.give_up())

    def test_endless_body(self) -> None:
        """
        No more of a body is read than is looked at.
        """
        asked = upgrade()
        asked.receive_data(b"HTTP/1.1 500 No\r\n\r\n")
        self.assertIsNone(asked.receive_data(b"x" * (MAX_REFUSAL - 1)))
        self.assertEqual(Refused("500: No", 500), asked.receive_data(b"x" * 10_000_000))

    @settings(derandomize=True, deadline=None, max_examples=100)
    @given(st.binary(max_size=100), st.integers(0, 100))
    def test_noise(self, noise: bytes, place: int) -> None:
        """
        Noise raises nothing, and is read the same in two pieces.
        """
        for data in (noise, b"HTTP/1.1 401 No\r\n" + noise, SWITCHED + noise):
            self.assertEqual(outcome_of([data]), outcome_of([data[:place], data[place:]]))
