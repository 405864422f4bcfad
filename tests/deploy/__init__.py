"""
What is there for those who run Pico: the image, the example for Compose, the package. Read, and compared with the tree.

What is read here is done elsewhere: ``tests/image`` and ``tests/package`` take minutes (``make test-image``,
``make test-package``), ``tests/system`` does what goes quickly.
"""
