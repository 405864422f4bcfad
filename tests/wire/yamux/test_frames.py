"""
Tests for :mod:`pico.wire.yamux.frames`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pico.wire.yamux.frames import ACK, DATA, FIN, GO_AWAY, HEADER, PING, RST, SYN, WINDOW, GoAwayCode


class HeaderTests(SynchronousTestCase):
    """
    The twelve bytes before every frame.
    """

    def test_written_as_others_write_it(self) -> None:
        """
        Each kind of frame looks as it does between Go programs.
        """
        for expected, fields in [
            ("000100010000000200000000", (WINDOW, SYN, 2, 0)),
            ("000100020000000200000000", (WINDOW, ACK, 2, 0)),
            ("000000000000000200000005", (DATA, 0, 2, 5)),
            ("000100040000000200000000", (WINDOW, FIN, 2, 0)),
            ("000100080000000200000000", (WINDOW, RST, 2, 0)),
            ("000200010000000000000007", (PING, SYN, 0, 7)),
            ("000200020000000000000007", (PING, ACK, 0, 7)),
            ("000300000000000000000001", (GO_AWAY, 0, 0, GoAwayCode.PROTOCOL_ERROR)),
        ]:
            self.assertEqual(expected, HEADER.pack(*fields).hex())
            self.assertEqual(fields, HEADER.unpack(bytes.fromhex(expected)))
