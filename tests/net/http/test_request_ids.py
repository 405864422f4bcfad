"""
Tests for :mod:`pico.net.http.request_ids`, and for answers that name the request.
"""

from __future__ import annotations

import json
import random

from twisted.trial.unittest import SynchronousTestCase

from pico.net.http.answers import error_answer
from pico.net.http.request_ids import RequestIds, received_id
from tests.heads import request_head

RECEIVED = [
    ([], b""),
    ([b"X-Request-Id: abc"], b"abc"),
    ([b"x-request-ID:   0af7-651916cd.43dd_84~48:eb/21+1=@  "], b"0af7-651916cd.43dd_84~48:eb/21+1=@"),
    ([b"X-Request-Id: " + b"x" * 128], b"x" * 128),
    ([b"X-Request-Id: " + b"-" * 128], b"-" * 128),
    ([b"X-Request-Id: " + b"-" * 129], b""),
    ([b"X-Request-Id: " + b"x" * 129], b""),
    ([b"X-Request-Id:"], b""),
    ([b"X-Request-Id: a b"], b""),
    ([b'X-Request-Id: a"b'], b""),
    ([b"X-Request-Id: a\\nb"], b""),
    ([b"X-Request-Id: a%0ab"], b""),
    ([b"X-Request-Id: a\tb"], b""),
    ([b"X-Request-Id: {a}"], b""),
    ([b"X-Request-Id: <script>"], b""),
    ([b"X-Request-Id: \xc3\xa9"], b""),
    ([b"X-Request-Id: \xff"], b""),
    ([b"X-Request-Id: a", b"X-Request-Id: a"], b""),
    ([b"X-Request-Id: a", b"X-Request-Id: "], b""),
    ([b"X-Request-Ids: a"], b""),
]


class RequestIdTests(SynchronousTestCase):
    """
    Ids that came, and ids that are made up.
    """

    def test_received(self) -> None:
        """
        An id is kept if it is the only one, short, and harmless wherever it is shown.
        """
        for lines, expected in RECEIVED:
            head = request_head(b"\r\n".join([b"GET / HTTP/1.1", b"Host: a", *lines, b"Accept: b", b"", b""]))
            self.assertEqual(received_id(head), expected, lines)

    def test_made(self) -> None:
        """
        Ids that are made up are such as would be kept, and no two of them are the same; two processes have none in
        common.
        """
        made = [ids.make() for ids in (RequestIds(random.Random(1)), RequestIds(random.Random(2))) for _ in range(1000)]
        self.assertEqual(len(set(made)), 2000)
        self.assertEqual({len(each) for each in made}, {32})
        for each in made[:10]:
            head = request_head(b"GET / HTTP/1.1\r\nHost: a\r\nX-Request-Id: " + each + b"\r\n\r\n")
            self.assertEqual(received_id(head), each)


class AnswerTests(SynchronousTestCase):
    """
    Errors that say which request it was.
    """

    def test_json(self) -> None:
        """
        As a header, and as a field behind the others.
        """
        answer = error_answer(502, "e", "d", request_id=b"r1")
        self.assertIn(b"X-Request-Id: r1", answer.lines)
        self.assertEqual(answer.body, b'{"error":"e","detail":"d","request_id":"r1"}\n')

    def test_page(self) -> None:
        """
        People see it on the page.
        """
        answer = error_answer(502, "e", as_page=True, request_id=b"r1")
        self.assertIn(b"X-Request-Id: r1", answer.lines)
        self.assertIn(b"Request id: r1", answer.body)

    def test_none(self) -> None:
        """
        Without one nothing is said.
        """
        for as_page in (False, True):
            answer = error_answer(400, "e", as_page=as_page)
            self.assertNotIn(b"request", answer.body.lower().replace(b"bad request", b""))
            self.assertFalse([line for line in answer.lines if b"equest" in line])
        self.assertEqual(json.loads(error_answer(400, "e").body), {"error": "e"})
