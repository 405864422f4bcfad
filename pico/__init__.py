"""
Pico: a self-hosted, clustered tunnelling reverse proxy.

Rooms are described in ``docs/architecture.md``; every room's own docstring says what it may import and which
module is its door.
"""

__version__ = "0.1.0.dev0"
