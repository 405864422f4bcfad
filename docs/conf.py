"""
How Sphinx makes a site of these pages; ``make docs`` does it.
"""

from pico import __version__

project = "Pico"
author = "The Pico maintainers"
version = release = __version__
extensions = ["myst_parser", "sphinxcontrib.mermaid"]
exclude_patterns = ["_build"]
myst_fence_as_directive = ["mermaid"]
myst_heading_anchors = 4
html_theme = "furo"
html_title = "Pico"
html_show_copyright = False
html_copy_source = False
