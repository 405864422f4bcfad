"""
How Sphinx makes a manual of these pages: ``sphinx-build -W docs build/docs``, with furo and myst-parser installed.
"""

project = "Pico"
author = "The Pico maintainers"
extensions = ["myst_parser"]
myst_heading_anchors = 3
html_theme = "furo"
exclude_patterns = ["states"]
