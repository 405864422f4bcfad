"""
The seams where authentication and tenants come in.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from pico.errors import RemoteProtocolError
from pico.interfaces import Identity, INodeView, IVerifier
from pico.names import DEFAULT_TENANT, EndpointKey, NodeId, TenantId
from pico.server.anyone import Anyone
from pico.server.view import NodeView
from pico.upstream.registry import Registry


@implementer(IVerifier)
class ByHeader:
    """
    A verifier that believes a header, for tests.
    """

    def verify(self, header: Callable[[bytes], bytes]) -> Identity:
        """
        Read it.
        """
        tenant = header(b"x-tenant").decode()
        if not tenant:
            raise RemoteProtocolError(401, "missing authorization")
        return Identity(TenantId(tenant), frozenset({"e"}))


class SeamTests(SynchronousTestCase):
    """
    What later stands in for these must keep to it.
    """

    def test_interfaces(self) -> None:
        """
        The verifiers and the view provide what they say.
        """
        verifyObject(IVerifier, Anyone())
        verifyObject(IVerifier, ByHeader())
        from_nothing = Registry.__new__(Registry)
        verifyObject(INodeView, NodeView(NodeId("n"), from_nothing))

    def test_identity(self) -> None:
        """
        An identity may use what it was granted, and everything if nothing was listed.
        """
        self.assertTrue(Anyone().verify(lambda name: b"").may_use("anything"))
        granted = ByHeader().verify(lambda name: b"ours")
        self.assertEqual((granted.may_use("e"), granted.may_use("f")), (True, False))
        self.assertNotEqual(EndpointKey(granted.tenant, "e"), EndpointKey(DEFAULT_TENANT, "e"))
