"""
How two nodes make sure of each other.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

import attrs

from pico.names import NodeId
from pico.wire.link_auth import Agreed, Agreement, Event, Failed, Peer, Proven, Refusal, Role, State
from tests.states.explore import Axis, Input, Machine, NotNow

_KEYS = (b"key",)
_DEADLINE = 10.0


def _side(role: Role) -> Agreement:
    own = Peer(NodeId(role.name), 1)
    return Agreement(role, own, _KEYS, role.name.encode().ljust(32), deadline=_DEADLINE)


@attrs.define
class Side:
    """
    One side. What is right for it to hear is said by a second pair.
    """

    role: Role
    core: Agreement = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.core = _side(self.role)

    def hello(self) -> list[Event]:
        """
        The other side's HELLO.
        """
        one, two = _side(Role.DIALLER), _side(Role.ACCEPTOR)
        hello = one.data_to_send()
        if self.role is Role.DIALLER:
            two.receive_data(hello)
            hello = two.data_to_send()
        return self.core.receive_data(hello)

    def proof(self) -> list[Event]:
        """
        A PROOF that is right wherever one is waited for.
        """
        one, two = _side(Role.DIALLER), _side(Role.ACCEPTOR)
        two.receive_data(one.data_to_send())
        one.receive_data(two.data_to_send())
        proof = one.data_to_send()
        if self.role is Role.DIALLER:
            two.receive_data(proof)
            two.accept()
            proof = two.data_to_send()
        return self.core.receive_data(proof)

    def wrong_proof(self) -> list[Event]:
        """
        One that is not.
        """
        return self.core.receive_data(struct.pack("!BH", 2, 33) + b"\2" + bytes(32))

    def refusal(self) -> list[Event]:
        """
        The other side's.
        """
        return self.core.receive_data(struct.pack("!BHB", 3, 1, Refusal.DRAINING))

    def garbage(self) -> list[Event]:
        """
        Something else.
        """
        return self.core.receive_data(b"GET / HTTP/1.1\r\n")

    def eof(self) -> list[Event]:
        """
        The end.
        """
        return self.core.receive_eof()

    def timer(self, now: float) -> list[Event]:
        """
        The time.
        """
        if self.core.next_deadline() is None:
            raise NotNow
        return self.core.handle_timer(now)

    def accept(self) -> list[Event]:
        """
        The owner's yes.
        """
        self.core.accept()
        return []

    def refuse(self) -> list[Event]:
        """
        Its no.
        """
        self.core.refuse(Refusal.OVERLOADED)
        return []


def _answer(result: object) -> str:
    words = []
    assert isinstance(result, list)
    for event in result:
        if isinstance(event, Failed):
            words.append(f"**Failed** {Refusal(event.error.code).name}")
        elif isinstance(event, Proven | Agreed):
            words.append(f"**{type(event).__name__}**")
    return ", ".join(words)


def _start(role: Role) -> Callable[[], Side]:
    return lambda: Side(role)


LINK_AUTH: Machine[Side] = Machine(
    "link-auth",
    "Two nodes make sure of each other",
    "The first bytes of every connection between nodes: `Agreement` in `pico/wire/link_auth.py`. "
    "In bold what the owner is told. Bytes that come in DECIDING and later are kept for the owner.",
    (
        Axis("Who this is", {"DIALLER": "it has dialled, and speaks first", "ACCEPTOR": "it was dialled"}),
        Axis("How far it is", {state.name: state.value for state in State}),
    ),
    tuple(_start(role) for role in Role),
    lambda side: (side.role.name, side.core.state.name),
    lambda side: None,
    (
        Input("HELLO", "the other side's, with another id and the same mode", (Side.hello,)),
        Input("PROOF", "made with a key that both have", (Side.proof,)),
        Input("wrong PROOF", "made with another one", (Side.wrong_proof,)),
        Input("REFUSAL", "the other side's, here because it is leaving", (Side.refusal,)),
        Input("garbage", "bytes that are no message", (Side.garbage,)),
        Input("end", "`receive_eof()`", (Side.eof,)),
        Input("timer, early", "`handle_timer(now)` before the deadline", (lambda side: side.timer(_DEADLINE - 1),)),
        Input("timer", "`handle_timer(now)` when it is due", (lambda side: side.timer(_DEADLINE),)),
        Input("accept", "`accept()`", (Side.accept,)),
        Input("refuse", "`refuse(OVERLOADED)`", (Side.refuse,)),
    ),
    _answer,
)
