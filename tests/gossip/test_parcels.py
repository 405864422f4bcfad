"""
Tests for :mod:`pico.gossip.parcels`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pico.gossip.parcels import Parcel


class ParcelTests(SynchronousTestCase):
    """
    Sections in datagrams.
    """

    def test_fits(self) -> None:
        """
        What fits goes into one datagram, in order.
        """
        parcel = Parcel(b"", ("host", 1), 10)
        self.assertEqual([], parcel.take())
        parcel.add(b"1234")
        parcel.add(b"567890")
        self.assertEqual(0, parcel.room)
        self.assertEqual([b"1234567890"], parcel.take())

    def test_more(self) -> None:
        """
        What does not fit any more begins the next one; a datagram is never empty.
        """
        parcel = Parcel(b"", ("host", 1), 10)
        parcel.begin()
        parcel.add(b"123456")
        parcel.add(b"12345")
        self.assertEqual((5, 2), (parcel.room, len(parcel)))
        parcel.begin()
        parcel.begin()
        self.assertEqual((10, 3), (parcel.room, len(parcel)))
        self.assertEqual([b"123456", b"12345"], parcel.take())
