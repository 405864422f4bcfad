"""
URLs without what may be secret in them.
"""

from __future__ import annotations

import re

HIDDEN = "********"

#: To the last @: a password that was not encoded may hold any character.
_USER = re.compile(r"^([a-z][a-z0-9+.-]*:/*)?.*@", re.IGNORECASE | re.DOTALL)
_QUERY = re.compile(r"\?.*", re.DOTALL)


def without_secrets(url: str) -> str:
    """
    The same URL with user, password and query hidden, however malformed it is.
    """
    return _QUERY.sub(f"?{HIDDEN}", _USER.sub(rf"\g<1>{HIDDEN}@", url))
