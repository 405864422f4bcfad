"""
How two nodes make sure of each other before anything else goes over a connection between them.

Both prove that they know one of the cluster's secret keys, the one that dialled first, so that nobody who merely
connects gets anything to guess a key from::

    message    0      1 2       3
               type   length    body

    dialler                                 acceptor
      │ HELLO   ──────────────────────────────▶ │
      │ ◀──────────────────────────────   HELLO │
      │ PROOF   purpose, proof ───────────────▶ │   the acceptor's owner says whether it goes on
      │ ◀──────────────────────────────   PROOF │   proof
      ╎  from here on the bytes are the owners' ╎

    HELLO      "PICO", version (1 byte), mode (1), nonce (32), generation (8), id (the rest)
    PROOF      the dialler's: purpose (1), proof; the acceptor's: proof
    REFUSAL    code (1); either side, instead of any message; the connection ends

Invariants:

- A proof is an HMAC-SHA256 over the role of its sender, both HELLO messages as they were sent and the purpose. Both
  nonces are in it, so a recording proves nothing; the role is in it, so a proof sent back proves nothing; ids and
  generations are in it, so a node cannot be taken for another one, or for its own former life.
- The dialler uses its first key, the acceptor any of its own and then the one that fits. So keys are changed without
  a gap: first the new one is added everywhere behind the old one, then put first, then the old one is taken out.
- Without keys the mode says so and proofs are empty. A side with keys never agrees to that, nor one without to the
  other.
- What follows is neither encrypted nor authenticated by this.
"""

from __future__ import annotations

import enum
import hmac
import struct
from collections.abc import Sequence

import attrs

from pico.errors import LocalProtocolError, RemoteProtocolError
from pico.names import NodeId

VERSION = 1

_MAGIC = b"PICO"
_HEADER = struct.Struct("!BH")
_HELLO = struct.Struct("!4sBB32sQ")

#: Random bytes that each side contributes.
NONCE_SIZE = 32
_PROOF_SIZE = 32
#: Bytes of a node's id.
MAX_ID = 255
#: Bytes of one message's body; a HELLO with the longest id has 301.
MAX_BODY = 512
#: Keys that are accepted at a time: each costs a look at every proof.
MAX_KEYS = 16

#: What the cluster's secret is turned into for this protocol alone.
_DERIVE = b"pico node link 1"


class Role(enum.Enum):
    """
    Which side this is. The value goes into its proofs.
    """

    DIALLER = b"dialler\0"
    ACCEPTOR = b"acceptor\0"


class Mode(enum.IntEnum):
    """
    How a side proves itself.
    """

    NONE = 0
    HMAC_SHA256 = 1


class Purpose(enum.IntEnum):
    """
    What a connection is for.
    """

    #: One exchange of what both know about the cluster.
    STATE_EXCHANGE = 1
    #: A session whose streams carry traffic.
    LINK = 2


class Refusal(enum.IntEnum):
    """
    Why there is no agreement.
    """

    MALFORMED = 1
    VERSION = 2
    MODE = 3
    PROOF = 4
    SAME_ID = 5
    WRONG_NODE = 6
    PURPOSE = 7
    OVERLOADED = 8
    DRAINING = 9
    OLD_LIFE = 10
    TIMEOUT = 11
    CLOSED = 12


#: What a refusal of the other side means, for people.
_MEANINGS = {
    Refusal.MALFORMED: "it cannot read what this node sends",
    Refusal.VERSION: "it speaks another version of this protocol",
    Refusal.MODE: "only one of the two nodes has cluster secret keys",
    Refusal.PROOF: "it does not accept this node's first cluster secret key",
    Refusal.SAME_ID: "it has the same node id",
    Refusal.WRONG_NODE: "it expected another node at this address",
    Refusal.PURPOSE: "it does not serve what was asked for",
    Refusal.OVERLOADED: "it has as many connections as it may",
    Refusal.DRAINING: "it is leaving",
    Refusal.OLD_LIFE: "it knows a later life of this node",
    Refusal.TIMEOUT: "it waited too long for this node",
    Refusal.CLOSED: "it ended the connection",
}


class State(enum.Enum):
    """
    How far the agreement is.
    """

    HELLO = "waiting for the other side's HELLO"
    PROOF = "waiting for its PROOF"
    DECIDING = "the owner decides; an acceptor's state alone"
    AGREED = "the bytes are the owner's"
    FAILED = "over"


class _Type(enum.IntEnum):
    HELLO = 1
    PROOF = 2
    REFUSAL = 3


@attrs.frozen
class Peer:
    """
    A node as it says of itself.

    :ivar generation: of its life: a later life of the same node has a higher one.
    """

    id: NodeId
    generation: int


@attrs.frozen
class Proven:
    """
    To an acceptor: the dialler is who it says. Call :meth:`Agreement.accept` or :meth:`Agreement.refuse`.
    """

    peer: Peer
    purpose: Purpose


@attrs.frozen
class Agreed:
    """
    To a dialler: both sides have proved themselves; what follows is the owner's.
    """

    peer: Peer


@attrs.frozen
class Failed:
    """
    There is no agreement. Send what there is to send, then close.

    :ivar error: its code is a :class:`Refusal`.
    """

    error: RemoteProtocolError


Event = Proven | Agreed | Failed


class Agreement:
    """
    One side of one agreement.

    :ivar state: how far it is.
    """

    __slots__ = (
        "_deadline",
        "_expected",
        "_hello",
        "_keys",
        "_out",
        "_peer",
        "_proven_with",
        "_purpose",
        "_received",
        "_role",
        "_self",
        "_transcript",
        "state",
    )

    def __init__(
        self,
        role: Role,
        own: Peer,
        keys: Sequence[bytes],
        nonce: bytes,
        *,
        deadline: float,
        purpose: Purpose = Purpose.LINK,
        expected: Peer | None = None,
    ) -> None:
        """
        :param keys: the cluster's secrets, the one to use first; none for the mode without.
        :param nonce: random bytes that were never used before.
        :param deadline: when it must be over, on the caller's clock.
        :param purpose: a dialler's.
        :param expected: whom a dialler wants to speak with; anybody when not given.
        :raises LocalProtocolError: for an id, a nonce or keys that cannot be used.
        """
        if len(nonce) != NONCE_SIZE or not 0 < len(own.id.encode()) <= MAX_ID:
            raise LocalProtocolError("a nonce has 32 bytes, and an id 1 to 255")
        if len(keys) > MAX_KEYS or not all(keys):
            raise LocalProtocolError(f"there may be {MAX_KEYS} keys, and none is empty")
        self._deadline = deadline
        self._expected = expected
        self._keys = [hmac.digest(key, _DERIVE, "sha256") for key in keys]
        self._out: list[bytes] = []
        self._peer = own
        self._proven_with = self._keys[0] if keys else b""
        self._purpose = purpose
        self._received = b""
        self._role = role
        self._self = own
        # The dialler's HELLO, then the acceptor's.
        self._transcript = b""
        self.state = State.HELLO
        head = _HELLO.pack(_MAGIC, VERSION, self._mode, nonce, own.generation)
        self._hello = _message(_Type.HELLO, head + own.id.encode())
        if role is Role.DIALLER:
            self._out.append(self._hello)

    @property
    def _mode(self) -> Mode:
        return Mode.HMAC_SHA256 if self._keys else Mode.NONE

    # Input

    def receive_data(self, data: bytes) -> list[Event]:
        """
        Take bytes of the other side, cut anywhere.
        """
        if self.state is State.FAILED:
            return []
        self._received += data
        events: list[Event] = []
        while self.state is State.HELLO or self.state is State.PROOF:
            received = self._received
            if len(received) < _HEADER.size:
                break
            number, length = _HEADER.unpack_from(received)
            if length > MAX_BODY or number not in _TYPES:
                events.append(self._fail(Refusal.MALFORMED, "what it sends is no node's greeting"))
                break
            end = _HEADER.size + length
            if len(received) < end:
                break
            self._received = received[end:]
            event = self._take(_TYPES[number], received[:end], received[_HEADER.size : end])
            if event is not None:
                events.append(event)
        return events

    def receive_eof(self) -> list[Event]:
        """
        The other side has ended the connection.
        """
        if self.state is State.AGREED or self.state is State.FAILED:
            return []
        self.state = State.FAILED
        reason = "it closed the connection before both nodes were sure of each other"
        return [Failed(RemoteProtocolError(Refusal.CLOSED, reason))]

    # Verbs

    def accept(self) -> None:
        """
        Agree with a dialler that has proved itself: send our own proof.
        """
        self._decide()
        self._out.append(_message(_Type.PROOF, self._proof(Role.ACCEPTOR, self._proven_with)))
        self.state = State.AGREED

    def refuse(self, refusal: Refusal) -> None:
        """
        Send a dialler away that has proved itself.
        """
        self._decide()
        self._end(refusal)

    def data_to_send(self) -> bytes:
        """
        Take what is to be sent.
        """
        out, self._out = self._out, []
        return b"".join(out)

    def take_leftover(self) -> bytes:
        """
        Once agreed: what came behind the other side's last message.
        """
        leftover, self._received = self._received, b""
        return leftover

    # Time

    def next_deadline(self) -> float | None:
        """
        When :meth:`handle_timer` has something to do; nothing once there is an outcome.
        """
        return None if self.state is State.AGREED or self.state is State.FAILED else self._deadline

    def handle_timer(self, now: float) -> list[Event]:
        """
        Give up if it is time; early calls are harmless.
        """
        deadline = self.next_deadline()
        if deadline is None or now < deadline:
            return []
        return [self._fail(Refusal.TIMEOUT, "it did not prove itself in time")]

    # Inside

    def _take(self, kind: _Type, message: bytes, body: bytes) -> Event | None:
        """
        Act on a message.
        """
        if kind is _Type.REFUSAL:
            return self._refused(body)
        if kind is _Type.HELLO and self.state is State.HELLO:
            return self._greeted(message, body)
        if kind is _Type.PROOF and self.state is State.PROOF:
            return self._proved(body)
        return self._fail(Refusal.MALFORMED, "what it sends is out of turn")

    def _greeted(self, message: bytes, body: bytes) -> Event | None:
        if len(body) <= _HELLO.size or not body.startswith(_MAGIC):
            return self._fail(Refusal.MALFORMED, "what it sends is no node's greeting")
        _, version, mode, _, generation = _HELLO.unpack_from(body)
        if version != VERSION:
            return self._fail(Refusal.VERSION, f"it speaks version {version} of this protocol, and this node {VERSION}")
        if mode != self._mode:
            return self._fail(Refusal.MODE, _MEANINGS[Refusal.MODE])
        try:
            peer = Peer(NodeId(body[_HELLO.size :].decode()), generation)
        except UnicodeDecodeError:
            return self._fail(Refusal.MALFORMED, "its id is not UTF-8")
        if len(body) > _HELLO.size + MAX_ID or not peer.id.isprintable():
            return self._fail(Refusal.MALFORMED, "its id is too long or not printable")
        if peer.id == self._self.id:
            itself = peer.generation == self._self.generation
            return self._fail(Refusal.SAME_ID, "it is this node itself" if itself else "it has this node's id")
        wanted = self._expected
        # Compared by what they hold: compiled, two objects of such a class would never be equal here.
        if wanted is not None and (peer.id != wanted.id or generation != wanted.generation):
            other = f"it is {peer.id}, not {wanted.id}" if peer.id != wanted.id else f"it is another life of {peer.id}"
            return self._fail(Refusal.WRONG_NODE, other)
        self._peer = peer
        self.state = State.PROOF
        if self._role is Role.ACCEPTOR:
            self._transcript = message + self._hello
            self._out.append(self._hello)
        else:
            self._transcript = self._hello + message
            proof = self._proof(Role.DIALLER, self._proven_with)
            self._out.append(_message(_Type.PROOF, bytes((self._purpose,)) + proof))
        return None

    def _proved(self, body: bytes) -> Event:
        if self._role is Role.DIALLER:
            if not hmac.compare_digest(body, self._proof(Role.ACCEPTOR, self._proven_with)):
                return self._fail(Refusal.PROOF, "it does not know the cluster's secret key")
            self.state = State.AGREED
            return Agreed(self._peer)
        if not body:
            return self._fail(Refusal.MALFORMED, "its proof is empty")
        purpose = _PURPOSES.get(body[0])
        if purpose is None:
            # It may be one of a later version, which the proof would have to cover.
            return self._fail(Refusal.PURPOSE, f"it asks for something that this node does not know ({body[0]})")
        self._purpose = purpose
        if not self._known(body[1:]):
            return self._fail(Refusal.PROOF, "its cluster secret key is none of this node's")
        self.state = State.DECIDING
        return Proven(self._peer, purpose)

    def _known(self, proof: bytes) -> bool:
        """
        Whether a dialler's proof was made with one of our keys. All are tried, whichever fits.
        """
        found = not self._keys and not proof
        for key in self._keys:
            if hmac.compare_digest(proof, self._proof(Role.DIALLER, key)):
                self._proven_with = key
                found = True
        return found

    def _proof(self, role: Role, key: bytes) -> bytes:
        if not key:
            return b""
        return hmac.digest(key, role.value + self._transcript + bytes((self._purpose,)), "sha256")

    def _refused(self, body: bytes) -> Failed:
        self.state = State.FAILED
        refusal = _REFUSALS.get(body[0] if body else 0, Refusal.MALFORMED)
        return Failed(RemoteProtocolError(refusal, f"it refuses: {_MEANINGS[refusal]}"))

    def _decide(self) -> None:
        if self.state is not State.DECIDING:
            raise LocalProtocolError("only a dialler that has just proved itself can be accepted or refused")

    def _fail(self, refusal: Refusal, reason: str) -> Failed:
        self._end(refusal)
        return Failed(RemoteProtocolError(refusal, reason))

    def _end(self, refusal: Refusal) -> None:
        self.state = State.FAILED
        self._received = b""
        self._out.append(_message(_Type.REFUSAL, bytes((refusal,))))


def _message(kind: _Type, body: bytes) -> bytes:
    return _HEADER.pack(kind, len(body)) + body


_TYPES = {kind.value: kind for kind in _Type}
_PURPOSES = {purpose.value: purpose for purpose in Purpose}
_REFUSALS = {refusal.value: refusal for refusal in Refusal}
