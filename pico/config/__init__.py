"""
The configuration: one typed tree, from which YAML, environment, flags and help texts all come.

Pure: text and dictionaries come in, frozen structs and faults go out; files and the environment are read by
``pico.cli``. Imports ``pico.errors`` only. Doors: :mod:`pico.config.server` and :mod:`pico.config.agent` (the trees),
:mod:`pico.config.load` (sources to tree).
"""
