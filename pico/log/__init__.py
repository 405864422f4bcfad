"""
What becomes of log events: lines for people or for programs, at most so many, in a file or on standard error.

Events are Twisted's; every room makes them with ``twisted.logger``. Here is what reads them. Values come in, not
configuration, so that everybody may use this. It may import ``errors`` alone. ``escape``, ``levels``, ``lines``,
``records``, ``redaction`` and ``repeats`` only compute; ``observer``, ``outlet``, ``standard`` and ``target`` do.
Door: ``start``.
"""
