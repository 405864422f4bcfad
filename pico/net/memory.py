"""
How a process that runs for long keeps its memory.

What a request leaves behind has no cycles, so the garbage collector need not look often. And a large body passes
through buffers of up to 256 KiB, one after the other. By default glibc may map memory for each of them and give it back
behind it, or grow and shrink the heap for them, as its heap happens to look; then the kernel clears every page of a
body anew, which costs as much time as all else about the body. So what is freed is kept, up to a bound.
"""

from __future__ import annotations

import ctypes
import gc

#: From mallopt(3): what the numbers of its parameters are.
_TRIM_THRESHOLD = -1
_TOP_PAD = -2
_MMAP_THRESHOLD = -3

#: Bytes free at the heap's end above which they are given back.
KEPT = 16 * 1024 * 1024

#: Bytes by which the heap grows beyond what is asked for.
GROWTH = 1024 * 1024

#: Bytes from which on a buffer has a mapping of its own.
LARGE = 4 * 1024 * 1024


def tune() -> None:
    """
    Set the garbage collector and the allocator. To be called once all that stays is there.
    """
    keep_large_buffers()
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def keep_large_buffers() -> None:
    """
    Let this process use the memory of large buffers again; nothing where the C library is not glibc.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        for parameter, value in ((_MMAP_THRESHOLD, LARGE), (_TRIM_THRESHOLD, KEPT), (_TOP_PAD, GROWTH)):
            mallopt(parameter, value)
