"""
Tests for :mod:`pico.config.yaml`: YAML without surprises.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pico.config.expand import Variables
from pico.config.faults import Fault
from pico.config.yaml import Listing, Mapping, Scalar, read


def read_all(text: str, environment: dict[str, str] | None = None) -> tuple[Mapping, list[str]]:
    """
    Read a document.

    :param environment: replace variables, by these.
    :return: it, and what is wrong with it.
    """
    faults: list[Fault] = []
    variables = Variables(text, environment) if environment is not None else None
    root = read(variables.text if variables else text, "f", faults, variables)
    return root, [str(fault) for fault in faults]


class ReadTests(SynchronousTestCase):
    """
    What is read.
    """

    def test_lines(self) -> None:
        """
        Everything knows its line, and scalars are text.
        """
        root, faults = read_all("a: NO\nb:\n  - 12:34\n  -\nc: {d: 'x\n  y'}\ne:\n")
        self.assertEqual(faults, [])
        self.assertEqual(
            root.items,
            {
                "a": (1, Scalar("NO", 1)),
                "b": (2, Listing([Scalar("12:34", 3), Scalar("", 4, True)], 3)),
                "c": (5, Mapping({"d": (5, Scalar("x y", 5))}, 5)),
                "e": (7, Scalar("", 7, True)),
            },
        )

    def test_nothing(self) -> None:
        """
        A file without anything is one without settings.
        """
        for text in ("", "# nothing\n", "---\n", "null", "---\n...\n"):
            self.assertEqual(read_all(text), (Mapping({}, 1), []), text)

    def test_faults(self) -> None:
        """
        What is not YAML, and what of YAML has no place here, with its line.
        """
        for text, expected in [
            ("a: [", "f:1: not YAML: expected the node content, but found '<stream end>'"),
            ("a: 1\nb: 'x", "f:2: not YAML: found unexpected end of stream"),
            ("a:\n\tb: 1", "f:2: not YAML: found character '\\t' that cannot start any token; indent with spaces"),
            ("a: 1\nb: \x07", "f:2: not YAML: character U+0007 is not allowed"),
            ("a: 1\nb: &x 1\n", "f:2: anchors and aliases are not supported"),
            ("a: 1\nb: *x\n", "f:2: anchors and aliases are not supported"),
            ("a: 1\nb: &x [1]\n", "f:2: anchors and aliases are not supported"),
            ("a: 1\nb: !!python/name:os.system 1\n", "f:2: tags such as !!str are not supported"),
            ("a: 1\n---\nb: 1\n", "f:2: a second document begins here; a file holds one"),
            ("a: 1\nb: " + "[" * 5000, "f:2: nested too deep"),
            ("a: 1\nb: " + "{x: " * 5000, "f:2: nested too deep"),
            ("- a\n", "f:1: the file must hold keys and values, such as grace_period: 1m"),
            ("\nword\n", "f:2: the file must hold keys and values, such as grace_period: 1m"),
            ("a: 1\na: 2\n", "f:2: a: is given twice, first in line 1"),
            ("a:\n  b: 1\n  b: 2\n", "f:3: a.b: is given twice, first in line 2"),
            ("? [a, b]\n: 1\n", "f:1: a key must be a word"),
        ]:
            self.assertEqual(read_all(text)[1], [expected], text[:40])


class VariableTests(SynchronousTestCase):
    """
    Variables in a file.
    """

    ENVIRONMENT = {"A": "x", "EMPTY": "", "WILD": "}: [\n'\"#", "LIST": "a,b"}

    def test_places(self) -> None:
        """
        Values stand in for scalars and parts of them, in blocks, in brackets, in quotes; they are never syntax.
        """
        for text, value in [
            ("a: ${A}", "x"),
            ("{a: ${A}}", "x"),
            ("{a: ${NONE:d}, b: 1}", "d"),
            ("a: -${A}-$$-${WILD}-", "-x-$-}: [\n'\"#-"),
            ("a: '${WILD}'", "}: [\n'\"#"),
            ('a: "${A}\\n"', "x\n"),
            ("a: ${NONE:http://h:80}", "http://h:80"),
            ("a: |\n  ${A}\n", "x\n"),
            ("${A}: y\na: z", "z"),
        ]:
            root, faults = read_all(text, self.ENVIRONMENT)
            self.assertEqual(faults, [], text)
            found = root.items["a"][1]
            self.assertIsInstance(found, Scalar)
            self.assertEqual(getattr(found, "text", None), value, text)

    def test_nothing(self) -> None:
        """
        A value that is nothing is as if nothing stood there; in quotes it is an empty text.
        """
        for text, empty in [("a: ${EMPTY}", True), ("a: ${NONE:}", True), ("a: '${EMPTY}'", False)]:
            root, _ = read_all(text, self.ENVIRONMENT)
            self.assertEqual(root.items["a"][1], Scalar("", 1, empty), text)

    def test_faults(self) -> None:
        """
        A variable that is not set is a fault with its line and setting; in a comment it is nothing.
        """
        text = "# ${NONE}\na:\n  b: ${NONE}\n  c: [x, '${ODD NAME}']\n"
        self.assertEqual(
            read_all(text, self.ENVIRONMENT)[1],
            [
                "f:3: a.b: the environment variable NONE is not set, and ${NONE} has no default",
                "f:4: a.c[1]: '${ODD NAME}' is not ${VARIABLE} or ${VARIABLE:default}; write $$ for a dollar sign",
            ],
        )

    def test_off(self) -> None:
        """
        Without being asked for nothing is replaced.
        """
        root, faults = read_all("a: ${A}$$")
        self.assertEqual((root.items["a"][1], faults), (Scalar("${A}$$", 1), []))
