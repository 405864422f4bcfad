"""
What changes a node: ``POST /drain`` and ``POST /undrain``, and who may ask for that.

There is no authentication on the operators' port. So orders are taken only from addresses that the configuration
names, this machine's own if it names none. That is worth nothing where others can speak through such an address, so an
order is refused that a proxy has passed on, or that a page in somebody's browser has sent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from ipaddress import ip_address, ip_network

from twisted.web import http

from pico.errors import ConfigError, PicoError
from pico.interfaces import INodeView
from pico.net.site import Page, Question, error_page, json_page

SETTING = "admin.control_from"

#: Headers of those who speak for others.
_FOR_OTHERS = ("x-forwarded-for", "forwarded")

#: Does what is asked for; says whether that is new.
Order = Callable[[], bool]


class Orders:
    """
    Orders to a node, and who may give them.
    """

    def __init__(self, control_from: Iterable[str], *, view: INodeView, drain: Order, undrain: Order) -> None:
        """
        :param control_from: addresses and networks.
        :param view: shows what came of an order.
        :param drain: has nothing new come to the node.
        :param undrain: takes that back; raises :class:`pico.errors.PicoError` if it is too late.
        :raises ConfigError: an address or network is none.
        """
        try:
            self._networks = [ip_network(entry, strict=False) for entry in control_from]
        except ValueError as error:
            raise ConfigError(f"{SETTING}: {error}") from None
        self._view = view
        self._drain = drain
        self._undrain = undrain

    def drain(self, question: Question) -> Page:
        """
        Answer ``POST /drain``.
        """
        return self._obey(question, self._drain)

    def undrain(self, question: Question) -> Page:
        """
        Answer ``POST /undrain``.
        """
        return self._obey(question, self._undrain)

    def refusal(self, question: Question) -> Page | None:
        """
        Say why somebody may not give orders; nothing if he may.
        """
        own = self._view.id
        if question.header("origin"):
            return error_page(http.FORBIDDEN, "not permitted", f"node {own} takes no orders from pages of a browser")
        if any(question.header(name) for name in _FOR_OTHERS):
            return error_page(
                http.FORBIDDEN, "not permitted", f"node {own} takes no orders through a proxy: ask its port itself"
            )
        if not self._knows(question.peer):
            return error_page(
                http.FORBIDDEN,
                "not permitted",
                f"node {own} takes orders only from the addresses in its {SETTING}, which has not {question.peer}: "
                "ask on its own machine, or add the address there",
            )
        return None

    def _knows(self, peer: str) -> bool:
        try:
            # A link-local address may name an interface.
            address = ip_address(peer.partition("%")[0])
        except ValueError:
            return False
        return any(address in network for network in self._networks)

    def _obey(self, question: Question, order: Order) -> Page:
        refusal = self.refusal(question)
        if refusal is not None:
            return refusal
        try:
            changed = order()
        except PicoError as error:
            return error_page(http.CONFLICT, "too late", str(error))
        node = self._view.node(self._view.id)
        assert node is not None  # a node knows itself
        return json_page({"id": node.id, "status": node.status, "changed": changed, "upstreams": node.upstreams})
