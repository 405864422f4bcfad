"""
Whether this Pico was built with its hot modules compiled.
"""

from __future__ import annotations

from typing import Final

#: This module is one of them: compiled, it comes from a shared object.
COMPILED: Final = not __file__.endswith(".py")
