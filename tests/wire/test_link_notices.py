"""
Tests for :mod:`pico.wire.link_notices`.
"""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pico.wire.link_notices import RECORD_SIZE, Notice, NoticeReader, NoticeType, encode_notice


class NoticeTests(SynchronousTestCase):
    """
    Records in a stream.
    """

    def test_bytes(self) -> None:
        """
        A record has five bytes.
        """
        self.assertEqual(encode_notice(Notice(NoticeType.RETIRE, 0x01020304)), b"\x01\x01\x02\x03\x04")
        self.assertEqual(encode_notice(Notice(NoticeType.UNPROCESSED, 7)), b"\x02\0\0\0\x07")
        self.assertEqual(RECORD_SIZE, 5)

    @settings(derandomize=True, deadline=None, max_examples=60)
    @given(st.lists(st.integers(0, 2**32 - 1), max_size=5), st.lists(st.integers(0, 30), max_size=4))
    def test_cut_anywhere(self, streams: list[int], cuts: list[int]) -> None:
        """
        They are read wherever the bytes are cut.
        """
        notices = [Notice(NoticeType.RETIRE, stream) for stream in streams]
        data = b"".join(map(encode_notice, notices))
        reader = NoticeReader()
        found: list[Notice] = []
        places = [0, *sorted(cuts), len(data)]
        for start, end in pairwise(places):
            found += reader.receive_data(data[start:end])
        self.assertEqual(found, notices)

    def test_later_version(self) -> None:
        """
        What is not known yet is skipped.
        """
        reader = NoticeReader()
        self.assertEqual(
            reader.receive_data(b"\x03\0\0\0\7" + b"\x01\0\0\0\x09" + b"\0\0\0\0\0"), [Notice(NoticeType.RETIRE, 9)]
        )
