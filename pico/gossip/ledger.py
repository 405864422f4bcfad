"""
The versioned keys of one life.

Every change has a version, one higher than the change before it, and a key stands where its last change put it. So the
entries are in the order of their versions, and what somebody lacks who knows everything up to a version is the end of
the list. The invariants:

- Whoever holds version *v* has seen the effect of every change up to *v*, except in the case below.
- No key's last change lies at or below the *floor*. A deleted key is remembered, so that others learn of it, until the
  floor has passed it. The floor belongs to the life: only its owner raises it. Whenever more keys are deleted than
  live, the owner drops the oldest entry if it is a deleted one, or changes it to what it is if it lives. No clock is
  involved, and nobody who is behind can bring a deleted key back: whatever he knows at or below the floor is void.
- What somebody holds at or below the floor was deleted or has changed since. It stays visible until he has all that his
  source has (``complete``), so that a key that only moved does not vanish for a moment, and is dropped then.
- Who is behind the floor begins at the floor.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pico.errors import PicoError
from pico.gossip.codec import MAX_VERSION
from pico.gossip.limits import Limits
from pico.gossip.sections import Block, Record

#: Deleted keys that are remembered in any case.
KEPT_DELETED = 128

#: The oldest entries that one deletion may drop or move. As more than half of all are dropped, on the average there is
#: less than one move for each deletion.
_STEPS = 8

#: A key and its new value, or none if it is gone.
Change = tuple[bytes, bytes | None]


class LedgerFull(PicoError):
    """
    A member publishes more, or longer ones, than its limits allow.
    """


class Ledger:
    """
    The keys of one life: our own, or another one's as far as it is known here.

    :ivar version: of the last change that is known.
    :ivar floor: see above.
    :ivar size: bytes of all keys and values.
    :ivar deleted: how many deleted keys are remembered.
    :ivar refused: changes that were not taken because of the limits.
    """

    __slots__ = ("_entries", "_limits", "_void", "deleted", "floor", "refused", "size", "version")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        # In the order of versions: a key that changes is taken out and put in again.
        self._entries: dict[bytes, Record] = {}
        # Whether there may be entries at or below the floor.
        self._void = False
        self.version = 0
        self.floor = 0
        self.size = 0
        self.deleted = 0
        self.refused = 0

    def __len__(self) -> int:
        """
        Keys, deleted ones among them.
        """
        return len(self._entries)

    def __iter__(self) -> Iterator[Record]:
        """
        All entries, in ascending order of versions.
        """
        return iter(self._entries.values())

    def get(self, key: bytes) -> bytes | None:
        """
        A key's value, if it has one.
        """
        record = self._entries.get(key)
        return None if record is None else record[2]

    @property
    def complete(self) -> bool:
        """
        Whether everything at or below the floor is gone, so that others can be told that this is all.
        """
        return not self._void

    # Our own life

    def put(self, key: bytes, value: bytes) -> bool:
        """
        Set a key.

        :return: whether that changes anything.
        :raises LedgerFull: there are too many keys, or too many bytes, or these have too many.
        """
        old = self._entries.get(key)
        if old is not None and old[2] == value:
            return False
        limits = self._limits
        if len(key) > limits.max_key or len(value) > limits.max_value:
            raise LedgerFull(f"a key may have {limits.max_key} bytes and a value {limits.max_value} bytes at most")
        if (old is None or old[2] is None) and len(self._entries) - self.deleted >= limits.max_keys:
            raise LedgerFull(f"a member may publish {limits.max_keys} keys at most")
        growth = len(value) + (len(key) if old is None else -len(old[2] or b""))
        if self.size + growth > limits.max_bytes:
            raise LedgerFull(f"a member may publish {limits.max_bytes} bytes at most")
        self._store(key, value)
        return True

    def mark(self, key: bytes, value: bytes) -> None:
        """
        Set one of the few keys that must be told whatever the limits say.
        """
        old = self._entries.get(key)
        if old is None or old[2] != value:
            self._store(key, value)

    def remove(self, key: bytes) -> bool:
        """
        Delete a key.

        :return: whether it was there.
        """
        old = self._entries.get(key)
        if old is None or old[2] is None:
            return False
        self._store(key, None)
        self._tidy()
        return True

    def _store(self, key: bytes, value: bytes | None) -> None:
        if self.version >= MAX_VERSION:
            raise LedgerFull("a member's life has seen too many changes")
        self._take_out(key)
        self.version += 1
        self._put_in((key, self.version, value))

    def _tidy(self) -> None:
        for _ in range(_STEPS):
            if self.deleted <= max(KEPT_DELETED, len(self._entries) - self.deleted):
                return
            key, version, value = next(iter(self._entries.values()))
            if value is None:
                self._take_out(key)
            else:
                self._store(key, value)
            self.floor = version

    # Another life

    def apply(self, block: Block) -> list[Change] | None:
        """
        Take over changes, as far as they are new.

        :return: what that changes, or nothing if something between what is known and the block is missing.
        """
        have = self.version
        floor = block.floor
        if block.after > have and block.after > floor:
            return None
        if floor > self.floor:
            self.floor = floor
            self._void = True
        changes: list[Change] = []
        if block.upto > have:
            self.version = block.upto
            for record in block.records:
                if record[1] > have:
                    self._replace(record, changes)
        # For who knows an older floor, less is complete.
        if block.complete and self._void and floor == self.floor:
            self._void = False
            self._drop_void(changes)
        return changes

    def _replace(self, record: Record, changes: list[Change]) -> None:
        key, _, value = record
        old = self._take_out(key)
        if self._fits(key, value):
            self._put_in(record)
        else:
            self.refused += 1
            value = None
        if value != (None if old is None else old[2]):
            changes.append((key, value))

    def _fits(self, key: bytes, value: bytes | None) -> bool:
        # As many keys may be remembered as deleted as live.
        limits = self._limits
        return (
            len(self._entries) < 2 * limits.max_keys + KEPT_DELETED
            and self.size + len(key) + len(value or b"") <= 2 * limits.max_bytes
        )

    def _drop_void(self, changes: list[Change]) -> None:
        floor = self.floor
        void = []
        for record in self._entries.values():
            if record[1] > floor:
                break
            void.append(record)
        for key, _, value in void:
            self._take_out(key)
            if value is not None:
                changes.append((key, None))

    # Both

    def since(self, version: int) -> list[Record]:
        """
        What has changed after a version, in ascending order.
        """
        found = []
        for record in reversed(self._entries.values()):
            if record[1] <= version:
                break
            found.append(record)
        found.reverse()
        return found

    def _take_out(self, key: bytes) -> Record | None:
        old = self._entries.pop(key, None)
        if old is not None:
            value = old[2]
            if value is None:
                self.deleted -= 1
                self.size -= len(key)
            else:
                self.size -= len(key) + len(value)
        return old

    def _put_in(self, record: Record) -> None:
        key, _, value = record
        self._entries[key] = record
        if value is None:
            self.deleted += 1
            self.size += len(key)
        else:
            self.size += len(key) + len(value)


def live(records: Sequence[Record] | Ledger) -> Iterator[tuple[bytes, bytes]]:
    """
    The keys that have values.
    """
    for key, _, value in records:
        if value is not None:
            yield key, value
