"""
How Sphinx makes a manual of these pages: ``sphinx-build -W docs build/docs``, with furo, myst-parser and
sphinxcontrib-mermaid installed.
"""

project = "Pico"
author = "The Pico maintainers"
extensions = ["myst_parser", "sphinxcontrib.mermaid"]
myst_fence_as_directive = ["mermaid"]
myst_heading_anchors = 3
html_theme = "furo"
