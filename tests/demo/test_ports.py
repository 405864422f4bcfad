"""
Tests for :mod:`pico.demo.ports`.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Mapping

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pico.demo.ports import PortChoice, choose_ports, wording_of


def _taken(*ports: int) -> Callable[[int], str]:
    return lambda port: "is taken" if port in ports else ""


def _free(*ports: int) -> Callable[[], int]:
    left = iter(ports)
    return lambda: next(left)


class ChoosePortsTests(SynchronousTestCase):
    def test_all_free(self) -> None:
        """
        Ports that can be had are used, and nothing is said about them.
        """
        chosen = choose_ports({"proxy": 8000, "admin": 8002}, problem_of=_taken(), find_free=_free())
        self.assertEqual(chosen, {"proxy": PortChoice(8000, 8000), "admin": PortChoice(8002, 8002)})
        self.assertEqual([choice.notice for choice in chosen.values()], ["", ""])

    def test_taken(self) -> None:
        """
        A free port stands in for one that is taken, and that is explained.
        """
        chosen = choose_ports({"proxy": 8000}, problem_of=_taken(8000), find_free=_free(43121))
        self.assertEqual(chosen["proxy"].port, 43121)
        self.assertEqual(chosen["proxy"].notice, "port 8000 is taken, using 43121")

    def test_any(self) -> None:
        """
        Port 0 asks for any free port, which needs no explanation.
        """
        chosen = choose_ports({"proxy": 0}, problem_of=_taken(0), find_free=_free(43121))
        self.assertEqual(chosen["proxy"], PortChoice(43121, 0))
        self.assertEqual(chosen["proxy"].notice, "")

    def test_same_twice(self) -> None:
        """
        Of two that want the same port the second gets another.
        """
        chosen = choose_ports({"proxy": 8000, "admin": 8000}, problem_of=_taken(), find_free=_free(43121))
        self.assertEqual((chosen["proxy"].port, chosen["admin"].port), (8000, 43121))
        self.assertEqual(chosen["admin"].notice, "port 8000 is asked for twice, using 43121")

    def test_stand_in_of_another(self) -> None:
        """
        A port that somebody else wants, or has got already, stands in for none.
        """
        chosen = choose_ports(
            {"proxy": 1, "upstream": 2, "admin": 3},
            problem_of=_taken(1, 2),
            find_free=_free(3, 50, 50, 51),
        )
        self.assertEqual([choice.port for choice in chosen.values()], [50, 51, 3])

    @settings(derandomize=True, deadline=None, max_examples=100)
    @given(
        st.dictionaries(st.text(max_size=3), st.integers(0, 9), max_size=6),
        st.sets(st.integers(0, 9)),
    )
    def test_always_usable(self, wanted: Mapping[str, int], taken: set[int]) -> None:
        """
        Whatever is wanted and taken: every name gets a port that is its own and not taken.
        """
        free = iter(range(10, 1000))
        chosen = choose_ports(wanted, problem_of=_taken(*taken), find_free=lambda: next(free))
        ports = [choice.port for choice in chosen.values()]
        self.assertEqual(list(chosen), list(wanted))
        self.assertEqual(len(set(ports)), len(ports))
        self.assertFalse(taken & set(ports))
        self.assertNotIn(0, ports)


class WordingTests(SynchronousTestCase):
    def test_taken(self) -> None:
        """
        A port that is in use is taken.
        """
        self.assertEqual(wording_of(OSError(errno.EADDRINUSE, "Address already in use")), "is taken")

    def test_other(self) -> None:
        """
        Any other reason is given in the system's words.
        """
        self.assertEqual(
            wording_of(PermissionError(errno.EACCES, "Permission denied")),
            "cannot be used (permission denied)",
        )

    def test_without_words(self) -> None:
        """
        An error that carries no text of the system says what it can.
        """
        self.assertEqual(wording_of(OSError("odd")), "cannot be used (odd)")
