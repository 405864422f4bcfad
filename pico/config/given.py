"""
What a source gives for settings.
"""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from pico.config.keys import Path


@attrs.frozen
class Given:
    """
    A value that a source gives for a setting.

    :ivar source: the file, variable or flag.
    :ivar line: in the file; 0 where there is none.
    :ivar below: where the parts of a listener come from, by their paths below the setting.
    """

    value: object
    source: str
    line: int = 0
    below: Mapping[str, str] = attrs.field(factory=dict)

    @property
    def origin(self) -> str:
        """
        Where it comes from, in one word.
        """
        return f"{self.source}:{self.line}" if self.line else self.source


#: By the settings' own paths.
Values = dict[Path, Given]
