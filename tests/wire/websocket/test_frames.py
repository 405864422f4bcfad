"""
Tests for :mod:`pico.wire.websocket.frames`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pico.wire.websocket.frames import BINARY, FIN, MASKED, PING, close_code, make_header


class HeaderTests(SynchronousTestCase):
    """
    The bytes in front of a payload.
    """

    def test_lengths(self) -> None:
        """
        A length takes as few bytes as it can.
        """
        for length, header in (
            (0, "8200"),
            (125, "827d"),
            (126, "827e007e"),
            (65_535, "827effff"),
            (65_536, "827f0000000000010000"),
            (2**32, "827f0000000100000000"),
        ):
            self.assertEqual(header, make_header(FIN | BINARY, length, 0).hex())

    def test_bits(self) -> None:
        """
        Kind, last frame and mask are said in front of the length.
        """
        self.assertEqual("0285", make_header(BINARY, 5, MASKED).hex())
        self.assertEqual("8900", make_header(FIN | PING, 0, 0).hex())
        self.assertEqual("82fe0100", make_header(FIN | BINARY, 256, MASKED).hex())


class CloseCodeTests(SynchronousTestCase):
    """
    What stands in a Close frame.
    """

    def test_allowed(self) -> None:
        """
        Codes of the registry and of applications, with a reason or without; none is a code of its own.
        """
        self.assertEqual(1005, close_code(b""))
        for code in (1000, 1001, 1002, 1003, *range(1007, 1015), 3000, 3999, 4000, 4999):
            self.assertEqual(code, close_code(code.to_bytes(2, "big")))
            self.assertEqual(code, close_code(code.to_bytes(2, "big") + "schluß".encode()))

    def test_forbidden(self) -> None:
        """
        Codes that are never sent, a single byte, and a reason that is no text.
        """
        for code in (0, 999, 1004, 1005, 1006, 1015, 2999, 5000, 65_535):
            self.assertRaises(ValueError, close_code, code.to_bytes(2, "big"))
        self.assertRaises(ValueError, close_code, b"\x03")
        self.assertRaises(UnicodeDecodeError, close_code, b"\x03\xe8\xff")
