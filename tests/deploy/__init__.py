"""
What is there for those who run Pico: the image, the example for Compose, the package, the Helm charts. Read, and
compared with the tree.

What is read here is done elsewhere: ``tests/image`` and ``tests/package`` take minutes (``make test-image``,
``make test-package``), ``tests/system`` does what goes quickly. Of the charts what Helm makes of them is read,
``rendered``, with their own values and with those in ``values``; ``make helm-rendered`` renders them anew, and needs
Helm, which the tests do not.
"""
