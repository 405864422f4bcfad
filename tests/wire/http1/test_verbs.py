"""
What may be called when: every state of :mod:`pico.wire.http1.server` and :mod:`pico.wire.http1.client` by every verb.

A verb either makes exactly the bytes that stand here, or raises ``LocalProtocolError``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product

import attrs
from twisted.trial.unittest import SynchronousTestCase

from pico.errors import LocalProtocolError
from pico.wire.http1 import client, server
from pico.wire.http1.client import ClientConnection
from pico.wire.http1.events import Data, EndOfMessage, RequestHead, ResponseHead
from pico.wire.http1.headers import HeaderCache
from pico.wire.http1.server import ServerConnection

CLOSE = b"Connection: close\r\n"
KEEP = b"Connection: keep-alive\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"

#: What a verb answers that may not be called.
REFUSED = "refused"


@attrs.frozen
class Asked:
    """
    What a server has read, and the heads of the responses that it then writes.

    :ivar connection: what a head with a length says about the connection.
    :ivar unsized: the end of a head without a length.
    :ivar body: what such a body is.
    :ivar held: bytes of a further request, or of another protocol.
    :ivar interim: whether interim responses are written.
    :ivar ended: whether the client has ended its side behind it.
    """

    data: bytes
    reading: server.Reading
    connection: bytes
    unsized: bytes = CHUNKED + CLOSE
    body: server.Writing = server.Writing.CHUNKED
    held: bytes = b""
    interim: bool = True
    ended: bool = False


R = server.Reading
W = server.Writing

ASKED: dict[str, Asked] = {
    "nothing": Asked(b"", R.HEAD, CLOSE, interim=False),
    "part of a head": Asked(b"GET / HT", R.HEAD, CLOSE, interim=False),
    "no request at all": Asked(b"\x16\x03\x01", R.DEAD, CLOSE, interim=False),
    "part of a length": Asked(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nab", R.LENGTH, CLOSE),
    "part of a length, 1.0": Asked(
        b"POST / HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 3\r\n\r\nab",
        R.LENGTH,
        CLOSE,
        CLOSE,
        W.EOF,
        interim=False,
    ),
    "no more of a length, 1.0": Asked(
        b"POST / HTTP/1.0\r\nContent-Length: 3\r\n\r\nab", R.DEAD, CLOSE, CLOSE, W.EOF, interim=False, ended=True
    ),
    "part of chunks": Asked(
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab", R.CHUNKED, CLOSE
    ),
    "broken chunks": Asked(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\ng\r\n", R.DEAD, CLOSE),
    "GET": Asked(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", R.ENDED, b"", CHUNKED),
    "GET, and more": Asked(b"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HT", R.ENDED, b"", CHUNKED, held=b"GET /2 HT"),
    "GET, the last": Asked(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", R.ENDED, CLOSE),
    "POST": Asked(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab", R.ENDED, b"", CHUNKED),
    "HEAD": Asked(b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", R.ENDED, b"", b"", W.NOTHING),
    "GET, 1.0": Asked(b"GET / HTTP/1.0\r\n\r\n", R.ENDED, CLOSE, CLOSE, W.EOF, interim=False),
    "GET, 1.0, kept": Asked(
        b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", R.ENDED, KEEP, CLOSE, W.EOF, interim=False
    ),
    "HEAD, 1.0, kept": Asked(
        b"HEAD / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", R.ENDED, KEEP, KEEP, W.NOTHING, interim=False
    ),
}

#: Heads by name: how to write one, and its bytes and what may follow.
HEADS: dict[
    str,
    tuple[Callable[[ServerConnection], bytes], Callable[[str, Asked], tuple[bytes, server.Writing]]],
] = {
    "with a length": (
        lambda c: c.send_head(200, b"", [b"A: b"], length=2),
        lambda name, asked: (
            b"HTTP/1.1 200 OK\r\nA: b\r\nContent-Length: 2\r\n" + asked.connection + b"\r\n",
            W.NOTHING if name.startswith("HEAD") else W.LENGTH,
        ),
    ),
    "without a length": (
        lambda c: c.send_head(200, b"Fine", [], length=None),
        lambda name, asked: (b"HTTP/1.1 200 Fine\r\n" + asked.unsized + b"\r\n", asked.body),
    ),
    "204": (
        lambda c: c.send_head(204, b"", [], length=None),
        lambda name, asked: (b"HTTP/1.1 204 No Content\r\n" + asked.connection + b"\r\n", W.NOTHING),
    ),
    "304": (
        lambda c: c.send_head(304, b"", [], length=9),
        lambda name, asked: (
            b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n" + asked.connection + b"\r\n",
            W.NOTHING,
        ),
    ),
    "the last": (
        lambda c: c.send_head(499, b"", [], length=0, close=True),
        lambda name, asked: (
            b"HTTP/1.1 499 \r\nContent-Length: 0\r\n" + CLOSE + b"\r\n",
            W.NOTHING if name.startswith("HEAD") else W.LENGTH,
        ),
    ),
    "101": (
        lambda c: c.send_head(101, b"", [b"Connection: upgrade", b"Upgrade: x"], length=None),
        lambda name, asked: (
            b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
            W.SWITCHED,
        ),
    ),
}

#: The verbs of a body. A length is 2 here.
BODY_VERBS: dict[str, Callable[[ServerConnection | ClientConnection], bytes]] = {
    "data": lambda c: c.send_data(b"ab"),
    "no data": lambda c: c.send_data(b""),
    "too much data": lambda c: c.send_data(b"abc"),
    "end": lambda c: c.send_end(),
    "end with trailers": lambda c: c.send_end([b"X: y", b"Z: 0"]),
    "data and end": lambda c: c.send_data(b"a") + c.send_data(b"b") + c.send_end(),
    "end twice": lambda c: c.send_data(b"ab") + c.send_end() + c.send_end(),
}

#: What they make: of a body with a length, in chunks, ended by closing; of no body; and where there is no message.
SIZED = (b"ab", b"", REFUSED, REFUSED, REFUSED, b"ab", REFUSED)
IN_CHUNKS = (
    b"2\r\nab\r\n",
    b"",
    b"3\r\nabc\r\n",
    b"0\r\n\r\n",
    b"0\r\nX: y\r\nZ: 0\r\n\r\n",
    b"1\r\na\r\n1\r\nb\r\n0\r\n\r\n",
    REFUSED,
)
TO_THE_END = (b"ab", b"", b"abc", b"", b"", b"ab", REFUSED)
BODILESS = (REFUSED, b"", REFUSED, b"", b"", REFUSED, REFUSED)
NO_MESSAGE = (REFUSED,) * 7

SERVER_BODIES: dict[server.Writing, tuple[bytes | str, ...]] = {
    W.HEAD: NO_MESSAGE,
    W.LENGTH: SIZED,
    W.CHUNKED: IN_CHUNKS,
    W.EOF: TO_THE_END,
    W.NOTHING: BODILESS,
    W.ENDED: NO_MESSAGE,
    W.SWITCHED: NO_MESSAGE,
}


def made(call: Callable[[], object]) -> object:
    """
    What a verb makes, or that it may not be called.
    """
    try:
        return call()
    except LocalProtocolError:
        return REFUSED


def asked(name: str) -> ServerConnection:
    """
    A server that has read something.
    """
    connection = ServerConnection(HeaderCache())
    connection.receive_data(ASKED[name].data)
    if ASKED[name].ended:
        connection.receive_eof()
    return connection


def finish(connection: ServerConnection) -> None:
    """
    End a response whose head is written.
    """
    if connection._writing is W.LENGTH and connection._to_write:
        connection.send_data(b"x" * connection._to_write)
    connection.send_end()


def answering() -> Iterator[tuple[str, str, Callable[[], ServerConnection], server.Writing]]:
    """
    Every state in which a response's head is written: what was asked, what is answered, how to get there.
    """
    for name, row in ASKED.items():
        for head, (write, expected) in HEADS.items():

            def make(name: str = name, write: Callable[[ServerConnection], bytes] = write) -> ServerConnection:
                connection = asked(name)
                write(connection)
                return connection

            yield name, head, make, expected(name, row)[1]


class ServerVerbTests(SynchronousTestCase):
    """
    A server's verbs.
    """

    def test_read(self) -> None:
        """
        The table begins where it says it does.
        """
        for name, row in ASKED.items():
            connection = asked(name)
            self.assertIs(connection._reading, row.reading, name)
            self.assertIs(connection._writing, W.HEAD, name)
            self.assertEqual(connection.request_ended, row.reading is R.ENDED, name)
            self.assertFalse(connection.response_started, name)

    def test_every_state(self) -> None:
        """
        The table meets every pair of states but two: only who asked in HTTP/1.0, where there are no chunks, gets a body
        that is ended by closing.
        """
        met = {(row.reading, W.HEAD) for row in ASKED.values()}
        for name, _, _, writing in answering():
            met.add((ASKED[name].reading, writing))
            if writing is not W.SWITCHED:
                met.add((ASKED[name].reading, W.ENDED))
        self.assertEqual(set(product(R, W)) - met, {(R.HEAD, W.EOF), (R.CHUNKED, W.EOF)})

    def test_heads(self) -> None:
        """
        Before the response's head each head may be written, whatever was read, and says how the connection goes on.
        """
        for name, row in ASKED.items():
            for head, (write, expected) in HEADS.items():
                connection = asked(name)
                data, writing = expected(name, row)
                self.assertEqual(write(connection), data, (name, head))
                self.assertIs(connection._writing, writing, (name, head))
                self.assertEqual(
                    connection.keep_alive, writing is not W.SWITCHED and CLOSE not in data, (name, head, data)
                )
                self.assertTrue(connection.response_started)
                self.assertEqual(connection.body_allowed, writing is not W.NOTHING, (name, head))
                self.assertEqual(connection.ends_by_close, writing is W.EOF, (name, head))

    def test_before_the_head(self) -> None:
        """
        Before the head there is no body, no end, no next request and no other protocol.
        """
        for name in ASKED:
            for verb, call in BODY_VERBS.items():
                self.assertEqual(made(lambda: call(asked(name))), REFUSED, (name, verb))  # noqa: B023 - called at once
            self.assertEqual(made(asked(name).next_request), REFUSED, name)
            self.assertEqual(made(asked(name).take_leftover), REFUSED, name)

    def test_interim(self) -> None:
        """
        Interim responses come before the head, any number of them, to who has asked in HTTP/1.1.
        """
        for name, row in ASKED.items():
            connection = asked(name)
            early = b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" if row.interim else b""
            proceed = b"HTTP/1.1 100 Continue\r\n\r\n" if row.interim else b""
            self.assertEqual(connection.send_informational(103, b"", [b"Link: x"]), early, name)
            self.assertEqual(connection.send_informational(100, b"", []), proceed, name)
            self.assertFalse(connection.response_started)
            for status in (99, 101, 200, 500):
                self.assertEqual(made(lambda: asked(name).send_informational(status, b"", [])), REFUSED)  # noqa: B023

    def test_behind_the_head(self) -> None:
        """
        Behind the head the body's verbs make what its framing wants; no other head may follow.
        """
        for name, head, make, writing in answering():
            length = 0 if head == "the last" else 2
            for (verb, call), expected in zip(BODY_VERBS.items(), SERVER_BODIES[writing], strict=True):
                if writing is W.LENGTH and not length:
                    expected = b"" if verb in ("no data", "end", "end with trailers") else REFUSED
                self.assertEqual(made(lambda: call(make())), expected, (name, head, verb))  # noqa: B023
            for other, (write, _) in HEADS.items():
                self.assertEqual(made(lambda: write(make())), REFUSED, (name, head, other))  # noqa: B023
            self.assertEqual(made(lambda: make().send_informational(103, b"", [])), REFUSED, (name, head))  # noqa: B023
            self.assertEqual(made(make().next_request), REFUSED, (name, head))
            held = ASKED[name].held if writing is W.SWITCHED else REFUSED
            self.assertEqual(made(make().take_leftover), held, (name, head))

    def test_behind_the_end(self) -> None:
        """
        Behind the end nothing may be written; there is a next request if the last was read and the head said so.
        """
        for name, head, make, writing in answering():
            if writing is W.SWITCHED:
                continue
            row = ASKED[name]
            said = HEADS[head][1](name, row)[0]

            def ended(make: Callable[[], ServerConnection] = make) -> ServerConnection:
                connection = make()
                finish(connection)
                return connection

            self.assertIs(ended()._writing, W.ENDED, (name, head))
            for verb, call in BODY_VERBS.items():
                self.assertEqual(made(lambda: call(ended())), REFUSED, (name, head, verb))  # noqa: B023
            for write, _ in HEADS.values():
                self.assertEqual(made(lambda: write(ended())), REFUSED, (name, head))  # noqa: B023
            self.assertEqual(made(ended().take_leftover), REFUSED, (name, head))
            connection = ended()
            goes_on = row.reading is R.ENDED and CLOSE not in said
            self.assertEqual(made(connection.next_request), [] if goes_on else REFUSED, (name, head))
            if goes_on:
                self.assertEqual((connection._reading, connection._writing), (R.HEAD, W.HEAD))
                self.assertEqual(connection.held, len(row.held))
                self.assertEqual(made(connection.next_request), REFUSED)

    def test_next_requests_events(self) -> None:
        """
        What came behind a request is read by asking for the next one.
        """
        connection = ServerConnection(HeaderCache())
        request = b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n"
        connection.receive_data(request % 1 + request % 2)
        connection.receive_data(request % 3)
        self.assertEqual(connection.held, 2 * len(request % 2))
        for number in (b"/2", b"/3"):
            connection.send_head(204, b"", [], length=None)
            connection.send_end()
            head, end = connection.next_request()
            assert isinstance(head, RequestHead), head
            self.assertEqual(head.target, number)
            self.assertIsInstance(end, EndOfMessage)
        self.assertEqual(connection.held, 0)

    def test_request_ends_behind_the_response(self) -> None:
        """
        A response may end before its request. Its head said that the connection ends, so it does.
        """
        for name in ("part of a length", "part of chunks"):
            connection = asked(name)
            connection.send_head(200, b"", [], length=0)
            connection.send_end()
            self.assertEqual(made(connection.next_request), REFUSED)
            tail = b"c" if name == "part of a length" else b"c\r\n0\r\n\r\n"
            self.assertEqual([type(event) for event in connection.receive_data(tail)], [Data, EndOfMessage])
            self.assertTrue(connection.request_ended)
            self.assertEqual(made(connection.next_request), REFUSED, name)

    def test_response_ends_behind_the_request(self) -> None:
        """
        Where the head was written before the request had ended, the connection ends too, whichever ends later.
        """
        connection = asked("part of a length")
        self.assertIn(CLOSE, connection.send_head(200, b"", [], length=2))
        connection.receive_data(b"c")
        self.assertEqual(connection.send_data(b"ab") + connection.send_end(), b"ab")
        self.assertEqual(made(connection.next_request), REFUSED)

    def test_leftover(self) -> None:
        """
        What came behind an upgrade is the other protocol's, and is given out once.
        """
        connection = asked("GET, and more")
        connection.send_head(101, b"", [], length=None)
        self.assertEqual(connection.receive_data(b"TP"), [])
        self.assertEqual(connection.take_leftover(), b"GET /2 HTTP")
        self.assertEqual(connection.take_leftover(), b"")
        self.assertEqual(connection.receive_data(b"x"), [])
        self.assertEqual(connection.receive_eof(), [])

    def test_end_of_input(self) -> None:
        """
        The client's end is a fault within a request only, and does not hinder the response.
        """
        for name, row in ASKED.items():
            connection = asked(name)
            broken = row.reading in (R.LENGTH, R.CHUNKED) or name == "part of a head"
            self.assertEqual(len(connection.receive_eof()), int(broken), name)
            self.assertEqual(connection.receive_eof(), [], name)
            data, _ = HEADS["with a length"][1](name, row)
            self.assertEqual(HEADS["with a length"][0](connection), data, name)


class CloseAfterResponseTests(SynchronousTestCase):
    """
    ``close_after_response()`` at every moment of an exchange.
    """

    def check_over(self, connection: ServerConnection, where: object) -> None:
        """
        There is no next request.
        """
        self.assertFalse(connection.keep_alive, where)
        self.assertEqual(made(connection.next_request), REFUSED, where)

    def test_before_the_head(self) -> None:
        """
        The head says it, to whoever asked for whatever.
        """
        for name in ASKED:
            for head, (write, _) in HEADS.items():
                connection = asked(name)
                connection.close_after_response()
                data = write(connection)
                self.assertEqual(data.count(b"Connection: "), 1, data)
                if head == "101":
                    self.assertFalse(connection.keep_alive)
                    continue
                self.assertIn(CLOSE, data, (name, head))
                finish(connection)
                self.check_over(connection, (name, head))

    def test_before_the_request(self) -> None:
        """
        It may be said before the request has come, or while it comes.
        """
        for name, row in ASKED.items():
            for cut in range(len(row.data)):
                connection = ServerConnection(HeaderCache())
                connection.receive_data(row.data[:cut])
                connection.close_after_response()
                connection.receive_data(row.data[cut:])
                self.assertIn(CLOSE, connection.send_head(200, b"", [], length=0), (name, cut))
                connection.send_end()
                self.check_over(connection, (name, cut))

    def test_in_a_later_exchange(self) -> None:
        """
        It concerns the exchange that is under way, not only the first.
        """
        request = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
        connection = ServerConnection(HeaderCache())
        connection.receive_data(request + request)
        self.assertNotIn(CLOSE, connection.send_head(200, b"", [], length=0))
        connection.send_end()
        connection.next_request()
        connection.close_after_response()
        self.assertIn(CLOSE, connection.send_head(200, b"", [], length=0))
        connection.send_end()
        self.check_over(connection, "second")

    def test_between_interim_and_head(self) -> None:
        """
        Interim responses are still written.
        """
        connection = asked("GET")
        connection.close_after_response()
        self.assertEqual(connection.send_informational(100, b"", []), b"HTTP/1.1 100 Continue\r\n\r\n")
        self.assertIn(CLOSE, connection.send_head(200, b"", [], length=0))

    def test_behind_the_head(self) -> None:
        """
        The head cannot say it any more; the body is written as it was to be.
        """
        for name, head, make, writing in answering():
            connection = make()
            connection.close_after_response()
            self.assertFalse(connection.keep_alive, (name, head))
            self.assertIs(connection._writing, writing, (name, head))
            if writing is not W.SWITCHED:
                finish(connection)
            self.check_over(connection, (name, head))

    def test_behind_the_end(self) -> None:
        """
        Between two requests it ends the connection, with or without a request waiting.
        """
        for name, head, make, writing in answering():
            if writing is not W.SWITCHED:
                connection = make()
                finish(connection)
                connection.close_after_response()
                self.check_over(connection, (name, head))


CR = client.Reading
CW = client.Writing


@attrs.frozen
class Sent:
    """
    A request of a client.

    :ivar data: its bytes up to the body.
    :ivar body: what the body's verbs make.
    """

    call: Callable[[ClientConnection], bytes]
    data: bytes
    writing: client.Writing
    body: tuple[bytes | str, ...]


SENT: dict[str, Sent] = {
    "GET": Sent(
        lambda c: c.send_request(b"GET", b"/", [b"Host: a"]),
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        CW.LENGTH,
        (REFUSED, b"", REFUSED, b"", b"", REFUSED, REFUSED),
    ),
    "POST without a body": Sent(
        lambda c: c.send_request(b"POST", b"/", [b"Host: a"]),
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
        CW.LENGTH,
        (REFUSED, b"", REFUSED, b"", b"", REFUSED, REFUSED),
    ),
    "PUT with a length": Sent(
        lambda c: c.send_request(b"PUT", b"/x?y", [b"Host: a"], length=2),
        b"PUT /x?y HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n",
        CW.LENGTH,
        SIZED,
    ),
    "PUT in chunks": Sent(
        lambda c: c.send_request(b"PUT", b"*", [b"Host: a"], length=None),
        b"PUT * HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
        CW.CHUNKED,
        IN_CHUNKS,
    ),
    "the last": Sent(
        lambda c: c.send_request(b"PUT", b"/", [b"Host: a"], length=None, close=True),
        b"PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n",
        CW.CHUNKED,
        IN_CHUNKS,
    ),
    "an upgrade with a length": Sent(
        lambda c: c.send_request(b"POST", b"/", [b"Host: a"], length=2, upgrade=b"x"),
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n",
        CW.LENGTH,
        SIZED,
    ),
    "an upgrade": Sent(
        lambda c: c.send_request(b"GET", b"/", [b"Host: a"], length=None, upgrade=b"x"),
        b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n",
        CW.CHUNKED,
        IN_CHUNKS,
    ),
}

#: Bytes that a client reads, what it reads then, and whether the connection may go on.
ANSWERED: dict[str, tuple[bytes, client.Reading, bool]] = {
    "nothing": (b"", CR.HEAD, True),
    "part of a head": (b"HTTP/1.1 2", CR.HEAD, True),
    "an interim response": (b"HTTP/1.1 100 Continue\r\n\r\n", CR.HEAD, True),
    "part of a length": (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab", CR.LENGTH, True),
    "part of chunks": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab", CR.CHUNKED, True),
    "part of what ends by closing": (b"HTTP/1.1 200 OK\r\n\r\nab", CR.EOF, False),
    "all of a length": (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", CR.IDLE, True),
    "all of chunks": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", CR.IDLE, True),
    "no body": (b"HTTP/1.1 204 No Content\r\n\r\n", CR.IDLE, True),
    "the last response": (b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n", CR.IDLE, False),
    "HTTP/1.0": (b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", CR.IDLE, False),
    "HTTP/1.0, kept": (b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n", CR.IDLE, True),
    "no response at all": (b"SSH-2.0-x\r\n\r\n", CR.DEAD, False),
    "more than was asked for": (b"HTTP/1.1 204 No Content\r\n\r\nH", CR.DEAD, False),
}
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"


def exchanges() -> Iterator[tuple[str, str, Callable[[], ClientConnection], client.Reading, bool]]:
    """
    Every state in which a request's head has been sent.
    """
    for request, sent in SENT.items():
        answers = dict(ANSWERED)
        if request.startswith("an upgrade"):
            answers["another protocol"] = (SWITCH + b"xy", CR.SWITCHED, False)
        for answer, (data, reading, goes_on) in answers.items():

            def make(sent: Sent = sent, data: bytes = data) -> ClientConnection:
                connection = ClientConnection(HeaderCache())
                sent.call(connection)
                connection.receive_data(data)
                return connection

            yield request, answer, make, reading, goes_on and request != "the last"


class ClientVerbTests(SynchronousTestCase):
    """
    A client's verbs.
    """

    def test_every_state(self) -> None:
        """
        The table meets every pair of states.
        """
        met = {(CR.IDLE, CW.HEAD)}
        for request, _, _, reading, _ in exchanges():
            met |= {(reading, SENT[request].writing), (reading, CW.HEAD)}
        self.assertEqual(set(product(CR, CW)) - met, set())

    def test_idle(self) -> None:
        """
        A new connection can send any request, and nothing else.
        """
        for name, sent in SENT.items():
            connection = ClientConnection(HeaderCache())
            self.assertTrue(connection.reusable)
            self.assertEqual(sent.call(connection), sent.data, name)
            self.assertEqual((connection._reading, connection._writing), (CR.HEAD, sent.writing), name)
            self.assertFalse(connection.reusable)
        for verb, call in BODY_VERBS.items():
            self.assertEqual(made(lambda: call(ClientConnection(HeaderCache()))), REFUSED, verb)  # noqa: B023
        self.assertEqual(made(ClientConnection(HeaderCache()).take_leftover), REFUSED)

    def test_request_under_way(self) -> None:
        """
        A request's body can be sent, and ended once, whatever of the response has come; no second request can.
        """
        for request, answer, make, reading, _ in exchanges():
            where = (request, answer)
            self.assertIs(make()._reading, reading, where)
            self.assertIs(make().switched, reading is CR.SWITCHED, where)
            self.assertFalse(make().reusable, where)
            for (verb, call), expected in zip(BODY_VERBS.items(), SENT[request].body, strict=True):
                self.assertEqual(made(lambda: call(make())), expected, (*where, verb))  # noqa: B023
            for name, sent in SENT.items():
                self.assertEqual(made(lambda: sent.call(make())), REFUSED, (*where, name))  # noqa: B023
            self.assertEqual(made(make().take_leftover), b"xy" if reading is CR.SWITCHED else REFUSED, where)

    def test_request_ended(self) -> None:
        """
        Behind the request's end there is another request once the response has ended too, if both agree.
        """
        for request, answer, make, reading, goes_on in exchanges():
            where = (request, answer)

            def ended(make: Callable[[], ClientConnection] = make) -> ClientConnection:
                connection = make()
                if connection._writing is CW.LENGTH and connection._to_write:
                    connection.send_data(b"x" * connection._to_write)
                connection.send_end()
                return connection

            self.assertEqual((ended()._reading, ended()._writing), (reading, CW.HEAD), where)
            reusable = goes_on and reading is CR.IDLE
            self.assertEqual(ended().reusable, reusable, where)
            for verb, call in BODY_VERBS.items():
                self.assertEqual(made(lambda: call(ended())), REFUSED, (*where, verb))  # noqa: B023
            for name, sent in SENT.items():
                expected = sent.data if reusable else REFUSED
                self.assertEqual(made(lambda: sent.call(ended())), expected, (*where, name))  # noqa: B023
            self.assertEqual(made(ended().take_leftover), b"xy" if reading is CR.SWITCHED else REFUSED, where)

    def test_end_of_input(self) -> None:
        """
        The server's end is the end of some bodies, a fault within others, and always the connection's.
        """
        for request, answer, make, reading, _ in exchanges():
            connection = make()
            ends = {CR.EOF: 1, CR.HEAD: 1, CR.LENGTH: 1, CR.CHUNKED: 1}.get(reading, 0)
            events = connection.receive_eof()
            self.assertEqual(len(events), ends, (request, answer))
            self.assertEqual(isinstance(events[0], EndOfMessage) if events else False, reading is CR.EOF)
            self.assertEqual(connection.receive_eof(), [])
            self.assertFalse(connection.reusable)
            if reading is not CR.SWITCHED:
                self.assertIs(connection._reading, CR.DEAD)
                self.assertEqual(connection.receive_data(b"x"), [])

    def test_leftover(self) -> None:
        """
        What comes behind a 101 is kept until it is asked for, and given out once.
        """
        connection = ClientConnection(HeaderCache())
        connection.send_request(b"GET", b"/", [b"Host: a"], upgrade=b"x")
        connection.send_end()
        (head,) = connection.receive_data(SWITCH + b"ab")
        assert isinstance(head, ResponseHead), head
        self.assertEqual((head.status, head.upgrade), (101, b"x"))
        self.assertEqual(connection.receive_data(b"cd"), [])
        self.assertEqual(connection.receive_eof(), [])
        self.assertEqual(connection.take_leftover(), b"abcd")
        self.assertEqual(connection.take_leftover(), b"")
