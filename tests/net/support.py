"""
What tests of services share: a supervisor that only listens.
"""

from __future__ import annotations


class FakeNotifier:
    """
    Remembers what was said.
    """

    def __init__(self) -> None:
        self.said: list[dict[str, str]] = []
        self.closed = False

    def send(self, *, patience: float = 0.0, **fields: str) -> None:
        """
        Remember.
        """
        assert not self.closed
        self.said.append(fields)

    def close(self) -> None:
        """
        Remember nothing more.
        """
        self.closed = True

    def take(self) -> list[dict[str, str]]:
        """
        What was said since the last time.
        """
        said, self.said = self.said, []
        return said
