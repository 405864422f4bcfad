"""
Tests for :mod:`pico.gossip.names`.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IAddress, IHostnameResolver, IHostResolution, IResolutionReceiver
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from pico.gossip.names import FOUND_AGAIN, MAX_ADDRESSES, MISSING_AGAIN, PATIENCE, Names
from pico.gossip.sections import Address


@implementer(IHostResolution)
@attrs.define
class Resolution:
    """
    As Twisted's own: it cannot be cancelled.
    """

    name: str

    def cancel(self) -> None:
        """
        Not implemented there.
        """
        raise NotImplementedError


@implementer(IHostnameResolver)
class Resolver:
    """
    Answers when it is told to.
    """

    def __init__(self) -> None:
        self.waiting: list[tuple[str, IResolutionReceiver]] = []

    def resolveHostName(  # noqa: N802 - Twisted's name
        self,
        resolutionReceiver: IResolutionReceiver,  # noqa: N803 - Twisted's names
        hostName: str,  # noqa: N803
        portNumber: int = 0,  # noqa: N803
        addressTypes: Sequence[type[IAddress]] | None = None,  # noqa: N803
        transportSemantics: str = "TCP",  # noqa: N803
    ) -> IHostResolution:
        """
        Remember who asks.
        """
        if len(hostName) > 63:
            raise UnicodeError("label too long")
        resolution = Resolution(hostName)
        resolutionReceiver.resolutionBegan(resolution)
        self.waiting.append((hostName, resolutionReceiver))
        return resolution

    def answer(self, *hosts: str) -> str:
        """
        Answer who has asked first.

        :return: the name.
        """
        name, receiver = self.waiting.pop(0)
        for host in hosts:
            kind = IPv6Address if ":" in host else IPv4Address
            receiver.addressResolved(kind("UDP", host, 0))
        receiver.resolutionComplete()
        return name


class NamesTests(SynchronousTestCase):
    """
    Names and their addresses.
    """

    def setUp(self) -> None:
        """
        A clock, a resolver, and what was reported.
        """
        self.clock = Clock()
        self.resolver = Resolver()
        self.names = Names(self.clock, self.resolver)
        self.reports: list[list[Address]] = []

    def tearDown(self) -> None:
        """
        Nothing is left when it stops.
        """
        self.names.stop()
        self.assertEqual([], self.clock.getDelayedCalls())
        self.assertEqual([], self.flushLoggedErrors())

    def keep(self, *wanted: Address) -> None:
        """
        Look up seeds.
        """
        self.names.keep(wanted, lambda found: self.reports.append(list(found)))

    def test_addresses(self) -> None:
        """
        Addresses need no lookup.
        """
        self.keep(("10.0.0.1", 1), ("fd00::1", 2))
        self.assertEqual([[("10.0.0.1", 1), ("fd00::1", 2)]], self.reports)
        self.assertEqual([], self.resolver.waiting)

    def test_all(self) -> None:
        """
        All addresses of a name are used, of both families, each once, with the name's port.
        """
        self.keep(("10.0.0.1", 1), ("name", 2))
        self.resolver.answer("10.0.0.2", "fd00::2", "10.0.0.2")
        self.assertEqual([("10.0.0.1", 1), ("10.0.0.2", 2), ("fd00::2", 2)], self.reports[-1])

    def test_unfound(self) -> None:
        """
        Names without an address are told, each once, until there is one for each; also while that is looked up again.
        """
        self.keep(("one", 2), ("two", 2), ("one", 3))
        self.assertEqual((["one", "two"], False), (self.names.unfound, self.names.any_found))
        self.resolver.answer("10.0.0.2")
        self.resolver.answer()
        self.assertEqual((["two"], True), (self.names.unfound, self.names.any_found))
        self.clock.advance(MISSING_AGAIN)
        self.resolver.answer("10.0.0.3")
        self.assertEqual([], self.names.unfound)
        self.clock.advance(FOUND_AGAIN)
        self.assertEqual([], self.names.unfound)

    def test_only_addresses(self) -> None:
        """
        An address is its own.
        """
        self.keep(("fd00::1", 1))
        self.assertEqual(([], True), (self.names.unfound, self.names.any_found))

    def test_again(self) -> None:
        """
        What was found is looked up again, and reported if it is another one.
        """
        self.keep(("name", 2))
        self.resolver.answer("10.0.0.2")
        count = len(self.reports)
        self.clock.advance(FOUND_AGAIN)
        self.resolver.answer("10.0.0.2")
        self.assertEqual(count, len(self.reports))
        self.clock.advance(FOUND_AGAIN)
        self.resolver.answer("10.0.0.3")
        self.assertEqual([("10.0.0.3", 2)], self.reports[-1])

    def test_missing(self) -> None:
        """
        What is not found is looked up again soon; what was found before stays good.
        """
        self.keep(("name", 2))
        self.resolver.answer()
        self.clock.advance(MISSING_AGAIN)
        self.resolver.answer("10.0.0.2")
        self.clock.advance(FOUND_AGAIN)
        self.resolver.answer()
        self.assertEqual([("10.0.0.2", 2)], self.reports[-1])
        self.assertEqual("10.0.0.2", self.names.find("name"))
        self.clock.advance(MISSING_AGAIN)
        self.assertEqual(1, len(self.resolver.waiting))

    def test_silent(self) -> None:
        """
        A lookup that does not end is given up, and what comes of it later is ignored.
        """
        self.keep(("name", 2))
        self.clock.advance(PATIENCE)
        self.clock.advance(MISSING_AGAIN)
        self.assertEqual(2, len(self.resolver.waiting))
        self.resolver.answer("10.0.0.2")
        self.assertIsNone(self.names.find("name"))
        self.resolver.answer("10.0.0.3")
        self.assertEqual("10.0.0.3", self.names.find("name"))

    def test_find(self) -> None:
        """
        A member's name is looked up when it is needed first, and then with all others.
        """
        self.assertIsNone(self.names.find("member"))
        self.assertIsNone(self.names.find("member"))
        self.assertEqual("member", self.resolver.answer("10.0.0.5"))
        self.assertEqual("10.0.0.5", self.names.find("member"))
        self.assertEqual([], self.resolver.waiting)
        self.clock.advance(FOUND_AGAIN)
        self.resolver.answer("10.0.0.6")
        self.assertEqual("10.0.0.6", self.names.find("member"))

    def test_not_a_name(self) -> None:
        """
        What cannot even be asked for is not found.
        """
        self.keep(("x" * 64, 2))
        self.assertEqual([], self.reports[-1])

    def test_many(self) -> None:
        """
        Of a name with very many addresses some are used.
        """
        self.keep(("name", 2))
        self.resolver.answer(*[f"10.0.{high}.{low}" for high in range(4) for low in range(250)])
        self.assertEqual(MAX_ADDRESSES, len(self.reports[-1]))

    def test_stopped(self) -> None:
        """
        What comes after the end is ignored.
        """
        self.keep(("name", 2))
        self.names.stop()
        count = len(self.reports)
        self.resolver.answer("10.0.0.2")
        self.assertEqual(count, len(self.reports))
