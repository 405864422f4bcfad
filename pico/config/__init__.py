"""
The configuration: one typed tree, from which YAML, environment, flags, help texts and the manual's reference all come.

Pure: text and dictionaries come in, frozen structs and faults go out; files and the environment are read by
``pico.cli``. Imports ``pico.errors`` and ``pico.names`` only. Doors: :mod:`pico.config.server` and
:mod:`pico.config.agent` (the trees), :mod:`pico.config.load` (sources to tree), :mod:`pico.config.show` (back to text).
"""
