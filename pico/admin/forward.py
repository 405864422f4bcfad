"""
Passing a question on to another node: ``?forward=<id>`` on any route of the operators' port.

The other node is asked at the admin address that it has published, with the same path and query, and answers of itself.
One hop is all there is: the question carries a mark, and whoever gets a marked one answers it or says that it is
somebody else. So nothing goes round in circles, and an address that leads to another node than it should is found out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTCP, IReactorTime
from twisted.logger import Logger
from twisted.web import http

from pico.config.addresses import parse_address
from pico.interfaces import INodeView, NodeStatus
from pico.names import NodeId
from pico.net.http.fetch import FetchError, TookTooLong, fetch
from pico.net.ports import make_client_endpoint
from pico.net.site import Page, Question, error_page

#: The argument that names the node.
ARGUMENT = "forward"

#: The mark of a question that was passed on.
MARK = "x-pico-forwarded"

#: Seconds to connect to the other node, and then for its answer.
CONNECT_TIMEOUT = 3.0
ANSWER_TIMEOUT = 10.0

#: Bytes of an answer that is passed on; what a node with very many endpoints says of its metrics is less.
MAX_ANSWER = 16 * 1024 * 1024

#: Questions that are passed on at a time: each may hold an answer in memory.
MAX_AT_ONCE = 8

#: Characters of an unknown name that are repeated.
_SHOWN = 100

_Result = TypeVar("_Result")


class Forwarder:
    """
    Passes questions on.

    :ivar under_way: how many wait for another node.
    """

    _log = Logger(namespace="server")

    def __init__(
        self,
        view: INodeView,
        reactor: IReactorTCP,
        clock: IReactorTime,
        *,
        refusal: Callable[[Question], Page | None] | None = None,
        connect_timeout: float = CONNECT_TIMEOUT,
        answer_timeout: float = ANSWER_TIMEOUT,
        max_answer: int = MAX_ANSWER,
    ) -> None:
        """
        :param view: knows the nodes.
        :param reactor: dials them.
        :param refusal: says who may not have an order passed on; none are passed on when not given. The other node
            looks as well, and sees the address of this one.
        """
        self._view = view
        self._refusal = refusal
        self._reactor = reactor
        self._clock = clock
        self._connect_timeout = connect_timeout
        self._answer_timeout = answer_timeout
        self._max_answer = max_answer
        self.under_way = 0

    def __call__(self, question: Question) -> Deferred[Page] | Page | None:
        """
        Pass a question on, if it is for another node.

        :return: ``None`` to answer it here. Cancelling what is under way drops the connection.
        """
        orders = question.method == "POST"
        if orders and self._refusal is None:
            return None
        name = question.arguments.get(ARGUMENT, "")
        own = self._view.id
        if name in ("", "local", own):
            return None
        if question.header(MARK):
            return error_page(
                http.BAD_GATEWAY,
                "wrong node",
                f"this is node {own}; the address that {name[:_SHOWN]} has published as its admin port leads here",
            )
        node = self._view.node(NodeId(name))
        if node is None:
            return error_page(
                http.NOT_FOUND, "not found", f"no node {name[:_SHOWN]} is known here; /status/cluster/nodes lists them"
            )
        refused = self._refusal(question) if orders and self._refusal is not None else None
        if refused is not None:
            return refused
        if self.under_way >= MAX_AT_ONCE:
            return error_page(
                http.SERVICE_UNAVAILABLE, "too many questions", "others wait for other nodes already; ask again"
            )
        return self._counted(lambda: self._ask(node, question))

    def _counted(self, ask: Callable[[], Deferred[_Result]]) -> Deferred[_Result]:
        self.under_way += 1

        def ended(result: _Result) -> _Result:
            self.under_way -= 1
            return result

        return ask().addBoth(ended)

    def _ask(self, node: NodeStatus, question: Question) -> Deferred[Page]:
        return Deferred.fromCoroutine(self._fetch(node, question))

    async def _fetch(self, node: NodeStatus, question: Question) -> Page:
        try:
            address = parse_address(node.admin_addr)
        except ValueError:
            return _unreachable(node, "it has not said where its admin port is")
        lines = [f"Host: {address}".encode(), f"{MARK}: 1".encode()]
        if question.accept:
            lines.append(b"Accept: " + question.accept.encode("latin-1", "replace"))
        try:
            fetched = await fetch(
                make_client_endpoint(self._reactor, address.host, address.port, self._connect_timeout),
                question.target,
                lines,
                clock=self._clock,
                timeout=self._answer_timeout,
                max_body=self._max_answer,
                method=question.method.encode() if question.method == "POST" else b"GET",
            )
        except TookTooLong as error:
            self._log.info("node {node} was asked in vain: {reason}", node=node.id, reason=str(error))
            return _too_slow(node, str(error))
        except FetchError as error:
            self._log.info("node {node} was asked in vain: {reason}", node=node.id, reason=str(error))
            return _unreachable(node, str(error))
        return Page(fetched.body, fetched.content_type or b"application/octet-stream", fetched.status)


def _too_slow(node: NodeStatus, reason: str) -> Page:
    return error_page(http.GATEWAY_TIMEOUT, "upstream timeout", f"node {node.id} at {node.admin_addr}: {reason}")


def _unreachable(node: NodeStatus, reason: str) -> Page:
    where = f" at {node.admin_addr}" if node.admin_addr else ""
    return error_page(http.BAD_GATEWAY, "upstream unreachable", f"node {node.id}{where}: {reason}")
