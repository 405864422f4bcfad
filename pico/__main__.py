"""
``python -m pico``: the same as the command ``pico``.
"""

from __future__ import annotations

from pico.cli.main import main

if __name__ == "__main__":
    main()
