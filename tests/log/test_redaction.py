"""
Tests for :mod:`pico.log.redaction`, with the names that are hidden if nobody says otherwise.
"""

from __future__ import annotations

import time

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pico.config.sections import Log
from pico.log.redaction import MASK, Names, Redaction

#: What stands for a secret in the cases below.
SECRET = "s3cr3t"

#: Texts in which the secret must not be read, and what must still be.
HIDDEN = [
    ("/a?token=s3cr3t", f"/a?token={MASK}"),
    ("/a?x=1&access_token=s3cr3t&y=2", f"/a?x=1&access_token={MASK}&y=2"),
    ("/a?Access-Token=s3cr3t;y=2", f"/a?Access-Token={MASK};y=2"),
    ("/a?api_key=s3cr3t&apikey=s3cr3t&key=s3cr3t", f"/a?api_key={MASK}&apikey={MASK}&key={MASK}"),
    ("/a?password=s3cr3t&passwd=s3cr3t&pwd=s3cr3t", f"/a?password={MASK}&passwd={MASK}&pwd={MASK}"),
    ("/a?user[password]=s3cr3t&token[]=s3cr3t", f"/a?user[password]={MASK}&token[]={MASK}"),
    ("/a?%74oken=s3cr3t&to%6ben=s3cr3t", f"/a?%74oken={MASK}&to%6ben={MASK}"),
    ("/a?token=s3cr3t%26x&x=1", f"/a?token={MASK}&x=1"),
    ("/a?token=a=s3cr3t", f"/a?token={MASK}"),
    ("/a?code=s3cr3t&state=1", f"/a?code={MASK}&state=1"),
    ("/a?X-Amz-Signature=s3cr3t&X-Amz-Credential=s3cr3t", f"/a?X-Amz-Signature={MASK}&X-Amz-Credential={MASK}"),
    ("/blob?sv=1&sig=s3cr3t", f"/blob?sv=1&sig={MASK}"),
    ("/a;jsessionid=s3cr3t?x=1", f"/a;jsessionid={MASK}?x=1"),
    ("/cb#id_token=s3cr3t", f"/cb#id_token={MASK}"),
    ("http://u:s3cr3t@h/a", f"http://{MASK}@h/a"),
    ("http://u:p@s3cr3t@h/a", f"http://{MASK}@h/a"),
    ("/fetch/http://u:s3cr3t@h/a", f"/fetch/http://{MASK}@h/a"),
    ("/a?u=http://h/?token=s3cr3t", f"/a?u=http://h/?token={MASK}"),
    ("/a?u=http%3A%2F%2Fh%2F%3Ftoken%3Ds3cr3t&x=1", f"/a?u={MASK}&x=1"),
    ("/a?u=http%3A%2F%2Fu%3As3cr3t%40h%2F", f"/a?u={MASK}"),
    ("/a?u=%2Fb%3Fv%3D%252Fc%253Ftoken%253Ds3cr3t", f"/a?u={MASK}"),
    ("/a?h=Bearer%20s3cr3t", f"/a?h={MASK}"),
    ("Bearer s3cr3t", f"Bearer {MASK}"),
    ("basic  s3cr3t, Bearer s3cr3t", f"basic {MASK}, Bearer {MASK}"),
    ('{"auth": "Bearer s3cr3t"}', f'{{"auth": "Bearer {MASK}"}}'),
]

#: What is no secret.
SHOWN = [
    "/",
    "/a?x=1&y=2",
    "/a?q=token",
    "/a?author=me&keys=1&codec=x&passing",
    "/token/s?x=1",
    "/a?u=http%3A%2F%2Fh%2F%3Fx%3D1",
    "/a?token=",
    "/a?token",
    "user@example.com",
    "/@user//x",
    "a basic text",
]

HEADERS = [
    ("authorization", True),
    ("Proxy-Authorization", True),
    ("x-piko-authorization", True),
    ("cookie", True),
    ("set-cookie", True),
    ("x-api-key", True),
    ("x-auth-token", True),
    ("x-amz-security-token", True),
    ("x-csrf-token", True),
    ("x-hub-signature-256", True),
    ("sec-websocket-protocol", True),
    ("accept", False),
    ("user-agent", False),
    ("content-type", False),
    ("www-authenticate", False),
]


class NamesTests(SynchronousTestCase):
    """
    Sets of names with stars.
    """

    def test_patterns(self) -> None:
        """
        A star stands for anything, also for nothing; everything else for itself, whatever its capitals.
        """
        names = Names(["a", "*b", "c*", "*d*", "e.f"])
        for name in ("a", "A", "b", "xb", "c", "cx", "d", "xdx", "e.f"):
            self.assertIn(name, names)
        for name in ("", "ax", "xa", "bx", "xc", "exf", "x"):
            self.assertNotIn(name, names)
        self.assertIn("", Names(["*"]))

    def test_empty(self) -> None:
        """
        Nothing is in an empty one, not even nothing.
        """
        names = Names([])
        self.assertFalse(names)
        self.assertNotIn("", names)
        self.assertTrue(Names(["a"]))

    def test_bounded(self) -> None:
        """
        It does not remember every name that it was ever asked for.
        """
        names = Names(["a"])
        for number in range(5000):
            self.assertNotIn(f"x{number}", names)
        self.assertLess(len(names._known), 2000)


class RedactionTests(SynchronousTestCase):
    """
    Secrets in URLs and headers.
    """

    def setUp(self) -> None:
        self.redaction = Redaction(Log().redact)

    def test_hidden(self) -> None:
        """
        A secret goes by its name or its place, encoded or not; what is beside it is left.
        """
        for text, expected in HIDDEN:
            self.assertEqual(self.redaction.text(text), expected)
            self.assertNotIn(SECRET, self.redaction.text(text))

    def test_shown(self) -> None:
        """
        The rest is shown as it is.
        """
        for text in SHOWN:
            self.assertEqual(self.redaction.text(text), text)

    def test_headers(self) -> None:
        """
        Of some headers nothing is shown, of others what is no secret.
        """
        for name, hidden in HEADERS:
            self.assertEqual(self.redaction.header(name, "value"), MASK if hidden else "value", name)
        self.assertEqual(self.redaction.header("referer", "https://u:p@h/?token=a"), f"https://{MASK}@h/?token={MASK}")

    def test_own_names(self) -> None:
        """
        The names are a setting.
        """
        redaction = Redaction(["*animal"])
        self.assertEqual(redaction.text("/?my_animal=cat&token=1"), f"/?my_animal={MASK}&token=1")
        self.assertEqual(Redaction([]).text("/?token=1"), "/?token=1")

    @given(st.text())
    def test_twice(self, text: str) -> None:
        """
        Whatever the text, nothing more is hidden the second time.
        """
        once = self.redaction.text(text)
        self.assertEqual(self.redaction.text(once), once)

    def test_long(self) -> None:
        """
        No text takes long.
        """
        begin = time.process_time()
        for text in ("//" * 8000, "/?" + "a=%3Fb%3D" * 1800, "?;" * 8000, "Bearer " * 2000, "/?x=" + "%25" * 5000):
            self.redaction.text(text)
        self.assertLess(time.process_time() - begin, 5)
