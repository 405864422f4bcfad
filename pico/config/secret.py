"""
Secrets in files of their own.

Each source may give a secret as it is or as the name of a file; both in one source is a fault. The first source that
gives either decides, as for any setting. But a file that holds nothing, or only a line end, gives nothing, and the next
source is asked: so a unit or a container may always name a file.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import attrs

from pico.config.faults import Fault
from pico.config.fields import Leaf
from pico.config.given import Given, Values
from pico.config.values import convert


@attrs.frozen
class SecretFile:
    """
    What a file holds.

    :ivar exposed: whether every user of the machine may read it.
    """

    text: str = attrs.field(repr=False)
    exposed: bool = False


class ReadSecret(Protocol):
    """
    Read the file of a secret.
    """

    def __call__(self, path: str, /) -> SecretFile:
        """
        Read it.

        :raises ValueError: with the reason why that is not possible.
        """


class SecretResolver:
    """
    Decide where a secret comes from.

    :ivar faults: what is wrong.
    :ivar warnings: what is not safe.
    """

    def __init__(self, read: ReadSecret) -> None:
        self._read = read
        self.faults: list[Fault] = []
        self.warnings: list[str] = []

    def resolve(self, secret: Leaf, file: Leaf, sources: Sequence[Values]) -> tuple[Given | None, Given | None]:
        """
        Find a secret.

        :param file: the setting that names its file.
        :param sources: the one that is asked first in front.
        :return: the secret, and the name of the file that it was read from; what there is of them.
        """
        for source in sources:
            plain, named = source.get(secret.path), source.get(file.path)
            if plain and plain.value and named and named.value:
                self._fault(file, named, f"give {secret.dotted} or {file.dotted}, not both")
                return None, None
            if named and named.value:
                found = self._from_file(secret, file, named)
                if found is None:
                    return None, None
                if found.value:
                    return found, named
            elif plain:
                return plain, None
        return None, None

    def _from_file(self, secret: Leaf, file: Leaf, named: Given) -> Given | None:
        path = str(named.value)
        try:
            content = self._read(path)
        except ValueError as error:
            self._fault(file, named, f"cannot read {path}: {error}", elsewhere=True)
            return None
        try:
            value = convert(secret, content.text.rstrip("\r\n"))
        except ValueError as error:
            self._fault(file, named, f"{path}: {error}", elsewhere=True)
            return None
        if content.exposed and value:
            self.warnings.append(f"{named.origin}: {path} can be read by every user of this machine; try chmod 600")
        return attrs.evolve(named, value=value)

    def _fault(self, file: Leaf, named: Given, problem: str, *, elsewhere: bool = False) -> None:
        self.faults.append(Fault(named.source, named.line, file.dotted if named.line else "", problem, elsewhere))
