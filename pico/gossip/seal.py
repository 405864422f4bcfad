"""
The envelope of a datagram: who sends it to whom, and the seal that proves it.

::

    0       1            9          17          23
    +-------+------------+----------+-----------+------------------+----------+
    | form  | from       | to       | counter   | sections         | tag      |
    | 1     | token 8    | token 8  | 6         | ...              | 16       |
    +-------+------------+----------+-----------+------------------+----------+

``form`` is 1 for plain datagrams, which have no tag, and 2 for sealed ones. ``to`` is zero when the sender does not yet
know who lives at the address. Everything before the sections is authenticated, too.

The seal is AES-256-GCM. Every life has a key of its own, made from the group's secret and the life's token (HKDF with
SHA-256, RFC 5869), and counts its datagrams, so a nonce is never used twice, without anything to be remembered from
life to life.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from struct import Struct
from typing import Protocol

import attrs
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from pico.gossip.codec import TOKEN_SIZE

_ENVELOPE = Struct("!B8s8sHI")

#: Bytes before the sections.
ENVELOPE_SIZE = _ENVELOPE.size

#: Bytes behind them when they are sealed.
TAG_SIZE = 16

_PLAIN = 1
_SEALED = 2
_SALT = b"gossip datagrams 1"

#: Stands for a receiver that is not known yet.
NOBODY = bytes(TOKEN_SIZE)


class _Cipher(Protocol):
    def encrypt(self, nonce: bytes, data: bytes, associated_data: bytes) -> bytes: ...

    def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes) -> bytes: ...


class _NoCipher:
    """
    What stands for a cipher when there are no secrets.
    """

    def encrypt(self, nonce: bytes, data: bytes, associated_data: bytes) -> bytes:
        return data

    def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes) -> bytes:
        return data


@attrs.define(eq=False)
class Envelope:
    """
    What stands before the sections; not proven by itself.
    """

    form: int
    sender: bytes
    receiver: bytes
    counter: int


def read_envelope(data: bytes) -> Envelope | None:
    """
    Read what stands before the sections; nothing if that cannot be an envelope.
    """
    if len(data) < ENVELOPE_SIZE:
        return None
    form, sender, receiver, high, low = _ENVELOPE.unpack_from(data)
    return Envelope(form, sender, receiver, high << 32 | low)


class Opener:
    """
    Opens the datagrams of one life, with the secret with which it seals.
    """

    __slots__ = ("_cipher", "_form")

    def __init__(self, cipher: _Cipher, form: int) -> None:
        self._cipher = cipher
        self._form = form

    def open(self, data: bytes, envelope: Envelope) -> bytes | None:
        """
        The sections of a datagram; nothing when the seal is broken.
        """
        if envelope.form != self._form:
            return None
        try:
            return self._cipher.decrypt(_nonce(envelope.counter), data[ENVELOPE_SIZE:], data[:ENVELOPE_SIZE])
        except InvalidTag:
            return None


class Sealer:
    """
    Seals the datagrams of our own life.

    :ivar counter: of the last datagram.
    """

    __slots__ = ("_cipher", "_form", "_token", "counter")

    def __init__(self, cipher: _Cipher, form: int, token: bytes) -> None:
        self._cipher = cipher
        self._form = form
        self._token = token
        self.counter = 0

    def seal(self, receiver: bytes, sections: bytes) -> bytes:
        """
        Make a datagram.

        :param receiver: a token, or :data:`NOBODY`.
        """
        # 48 bits last for 800 years at ten thousand a second; packing one more would raise, not repeat a nonce.
        self.counter = counter = self.counter + 1
        head = _ENVELOPE.pack(self._form, self._token, receiver, counter >> 32, counter & 0xFFFFFFFF)
        return head + self._cipher.encrypt(_nonce(counter), sections, head)


class Keys:
    """
    The group's secrets: the first one seals, all of them open, so that they can be changed one member after another.

    Without any, nothing is sealed, and whoever can send a datagram is believed.
    """

    __slots__ = ("_form", "_roots")

    def __init__(self, secrets: Sequence[bytes] = ()) -> None:
        """
        :param secrets: random bytes, at least 16 each.
        :raises ValueError: one is shorter.
        """
        if any(len(secret) < 16 for secret in secrets):
            raise ValueError("a secret needs at least 16 bytes")
        self._roots = [hmac.digest(_SALT, secret, "sha256") for secret in secrets]
        self._form = _SEALED if self._roots else _PLAIN

    @property
    def overhead(self) -> int:
        """
        Bytes of a datagram beside its sections.
        """
        return ENVELOPE_SIZE + (TAG_SIZE if self._roots else 0)

    def sealer(self, token: bytes) -> Sealer:
        """
        For our own life. There must be one only, because it counts.
        """
        cipher = _life_cipher(self._roots[0], token) if self._roots else _NoCipher()
        return Sealer(cipher, self._form, token)

    def open(self, data: bytes, envelope: Envelope) -> tuple[Opener, bytes] | None:
        """
        Open the first datagram of a life, with whichever secret fits.

        :return: what opens its other datagrams, and the sections of this one.
        """
        for cipher in [_life_cipher(root, envelope.sender) for root in self._roots] or [_NoCipher()]:
            opener = Opener(cipher, self._form)
            sections = opener.open(data, envelope)
            if sections is not None:
                return opener, sections
        return None


def _life_cipher(root: bytes, token: bytes) -> _Cipher:
    # HKDF's second step; one block of SHA-256 is as long as the key.
    return AESGCM(hmac.digest(root, token + b"\x01", "sha256"))


def _nonce(counter: int) -> bytes:
    return counter.to_bytes(12, "big")
