"""
The ``pico`` command: one file a subcommand.

It may import everything; what only one subcommand needs is imported inside it, so that a node starts quickly. Door:
:func:`pico.cli.main.main`.
"""
