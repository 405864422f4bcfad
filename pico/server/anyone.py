"""
The verifier of a node without authentication.
"""

from __future__ import annotations

from collections.abc import Callable

from zope.interface import implementer

from pico.interfaces import Identity, IVerifier
from pico.names import DEFAULT_TENANT

_ANYBODY = Identity(DEFAULT_TENANT)


@implementer(IVerifier)
class Anyone:
    """
    Let everybody use every endpoint of the one tenant there is.
    """

    def verify(self, header: Callable[[bytes], bytes]) -> Identity:
        """
        Ask for nothing.
        """
        return _ANYBODY
