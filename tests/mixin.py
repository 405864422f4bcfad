"""
What a class of tests is made of that is mixed into test cases.

For the type checker it is a test case, so that its tests can use the assertions; to trial it is none,
because trial would run it by itself wherever it is imported.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.trial.unittest import SynchronousTestCase

if TYPE_CHECKING:
    Mixin = SynchronousTestCase
else:
    Mixin = object
