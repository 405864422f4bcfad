"""
The image's steps, done: by :mod:`tests.image.build` in clean roots, one for each stage, as a builder of images does it.

``make test-image``. It takes minutes.
"""
