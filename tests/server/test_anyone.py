"""
Tests for :mod:`pico.server.anyone`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from pico.interfaces import IVerifier
from pico.names import DEFAULT_TENANT
from pico.server.anyone import Anyone


class AnyoneTests(SynchronousTestCase):
    """
    Who is asked for nothing.
    """

    def test_interface(self) -> None:
        """
        It is a verifier.
        """
        verifyObject(IVerifier, Anyone())

    def test_anything(self) -> None:
        """
        Everybody may use every endpoint of the default tenant, whatever they show.
        """
        identity = Anyone().verify(lambda name: b"Bearer token")
        self.assertEqual(identity.tenant, DEFAULT_TENANT)
        self.assertTrue(identity.may_use("e") and identity.may_use("anything/else"))

    def test_nothing_read(self) -> None:
        """
        No header is even looked at.
        """
        Anyone().verify(lambda name: self.fail(f"{name!r} was read"))
