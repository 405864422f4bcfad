"""
Tests for :mod:`pico.doctor.node`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pico.doctor.finding import Level
from pico.doctor.node import Account, Reply, judge

OK, WARN, FAIL = Level.OK, Level.WARN, Level.FAIL


class NodeTests(SynchronousTestCase):
    """
    What a node answers to a request that it must refuse.
    """

    def test_table(self) -> None:
        """
        It can be told whether the node would accept an agent, and if not, why.
        """
        for reply, token, level, text, advice in (
            (Reply(426, "WebSocket version 13 is needed", "13"), False, OK, "would accept", ""),
            (Reply(400, "Bad Request", "13"), False, OK, "would accept", ""),
            (Reply(426, "this path is for WebSockets: …", "13"), False, FAIL, "drops the Upgrade header", "nginx"),
            (Reply(426, "Upgrade Required"), False, FAIL, "drops the Upgrade header", "nginx"),
            (Reply(401, "missing authorization"), False, FAIL, "401 missing authorization", "set connect.token"),
            (Reply(401, "invalid token"), True, FAIL, "401 invalid token", "another token"),
            (Reply(403, "x"), True, FAIL, "403 x", "another token"),
            (Reply(404, "not found"), False, FAIL, "no node takes agents there: 404", "8001"),
            (Reply(400, "missing endpoint id"), False, FAIL, "no node takes agents there: 400", "8001"),
            (Reply(407, "x"), False, FAIL, "a proxy in between", "ask"),
            (Reply(502, "Bad Gateway"), False, FAIL, "no node behind it: 502 Bad Gateway", "load balancer"),
            (Reply(200, "OK"), False, FAIL, "no node takes agents there: 200 OK", "8001"),
            (Reply(101), False, WARN, "no node", "8001"),
        ):
            finding = judge(reply, "endpoint e", token=token)
            self.assertEqual((finding.level, finding.subject), (level, "endpoint e"), reply)
            self.assertIn(text, finding.text, reply)
            self.assertIn(advice, finding.advice, reply)

    def test_secret(self) -> None:
        """
        The token is not shown.
        """
        self.assertNotIn("secret", repr(Account("secret", "t")))
