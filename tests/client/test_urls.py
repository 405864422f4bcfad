"""
Tests for :mod:`pico.client.urls`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pico.client.urls import NodeURL, parse_node_url
from pico.errors import ConfigError


class NodeURLTests(SynchronousTestCase):
    """
    Reading a node's URL.
    """

    def test_table(self) -> None:
        """
        Every form that is understood.
        """
        for text, expected in {
            "http://localhost:8001": NodeURL(False, "localhost", 8001),
            "ws://localhost:8001": NodeURL(False, "localhost", 8001),
            "https://node.example.com": NodeURL(True, "node.example.com", 443),
            "wss://node.example.com": NodeURL(True, "node.example.com", 443),
            "HTTP://Node": NodeURL(False, "node", 80),
            "http://10.0.0.1:1/": NodeURL(False, "10.0.0.1", 1),
            "http://[::1]:8001": NodeURL(False, "::1", 8001),
            "http://[2001:DB8:0::1]": NodeURL(False, "2001:db8::1", 80),
            "http://node_1:8001/base/": NodeURL(False, "node_1", 8001, "/base"),
            "http://node/a%20b//?k=v&x": NodeURL(False, "node", 80, "/a%20b", "k=v&x"),
            "https://bücher.example": NodeURL(True, "xn--bcher-kva.example", 443),
        }.items():
            self.assertEqual(expected, parse_node_url(text), text)

    def test_refused(self) -> None:
        """
        What is no URL of a node is refused in words.
        """
        for text in (
            "",
            "localhost:8001",
            "8001",
            "ftp://node",
            "http://",
            "http://:8001",
            "http:///path",
            "http://node:port",
            "http://node:0",
            "http://node:65536",
            "http://user@node",
            "http://user:word@node",
            "http://node/#part",
            "http://no de",
            "http://node/a b",
            "http://node/a\tb",
            "http://node/\n",
            "http://node/ü",
            "http://node/{x}",
            'http://node/?"',
            "http://[::1%25eth0]:1",
            "http://[fe80::1",
            "http://[nonsense]",
            "http://no,de",
            "http://" + "ü" * 80,
        ):
            self.assertRaises(ConfigError, parse_node_url, text)

    def test_secrets_stay_out_of_messages(self) -> None:
        """
        A message about a URL with a password does not repeat it, and the text for people has no query.
        """
        for text in (
            "http://me:hunter2@node",
            "http://me:hunter2@node:port/",
            "ftp://node/?token=hunter2",
            "http://node/a b?token=hunter2",
        ):
            error = self.assertRaises(ConfigError, parse_node_url, text)
            self.assertNotIn("hunter2", str(error))
        url = parse_node_url("ws://node:8001/base?token=hunter2")
        self.assertEqual("http://node:8001/base", url.text)
        self.assertNotIn("hunter2", repr(url))

    def test_authority(self) -> None:
        """
        The Host header leaves out the usual port and brackets IPv6.
        """
        for text, expected in {
            "http://node": b"node",
            "http://node:443": b"node:443",
            "https://node:443": b"node",
            "http://node:8001": b"node:8001",
            "http://[::1]": b"[::1]",
            "https://[::1]:8001": b"[::1]:8001",
        }.items():
            self.assertEqual(expected, parse_node_url(text).authority)

    def test_target(self) -> None:
        """
        The node's path stands behind the URL's own, the query at the end.
        """
        for text, expected in {
            "http://node": b"/x/e",
            "http://node/": b"/x/e",
            "http://node/base/": b"/base/x/e",
            "http://node/?k=v": b"/x/e?k=v",
            "http://node/base?k=v": b"/base/x/e?k=v",
        }.items():
            self.assertEqual(expected, parse_node_url(text).target("/x/e"))
