"""
Tests for :mod:`pico.net.memory`, each in a process whose heap nobody has used before.
"""

from __future__ import annotations

import subprocess
import sys

from twisted.trial.unittest import SynchronousTestCase

_PROGRAM = """
import resource
from pico.net.memory import keep_large_buffers

def use_buffers(times):
    for _ in range(times):
        buffers = [bytes(3 * 1024 * 1024) for _ in range(4)]
        del buffers

keep_large_buffers()
use_buffers(2)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
use_buffers(10)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


class MemoryTests(SynchronousTestCase):
    """
    Where the buffers of large bodies come from.
    """

    def test_memory_is_used_again(self) -> None:
        """
        Buffers that come and go cost the kernel no pages, once there were some.
        """
        ended = subprocess.run([sys.executable, "-c", _PROGRAM], capture_output=True, text=True, timeout=60)
        self.assertEqual("", ended.stderr)
        # As glibc does it by itself, they would be more than a thousand.
        self.assertLess(int(ended.stdout), 100)
