"""
The pages of the manual that a test follows, word for word: the tutorial and the how-tos.

Pure: :mod:`tests.manual.page` reads a page, :mod:`tests.manual.places` moves its ports and directories to where a test
may have them, :mod:`tests.manual.output` compares what it shows with what came. ``tests/system/test_manual.py`` does
what the pages say.
"""
