"""
Tests for :mod:`pico.config.trees`: whose configuration is this?
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pico.config.agent import AgentConfig, ListenerConfig
from pico.config.server import ServerConfig
from pico.config.trees import AGENT, SERVER, program_of, recognise


class RecogniseTests(SynchronousTestCase):
    """
    By what a configuration contains.
    """

    def test_table(self) -> None:
        """
        The program to which most of it belongs; a node's, if that says nothing.
        """
        for roots, program in [
            ([], SERVER),
            (["log", "grace_period"], SERVER),
            (["proxy", "log"], SERVER),
            (["listeners"], AGENT),
            (["endpoints"], AGENT),
            (["connect", "log"], AGENT),
            (["auth", "server"], AGENT),
            (["connect", "proxy", "admin"], SERVER),
            (["nonsense"], SERVER),
        ]:
            self.assertIs(recognise(roots), program, roots)

    def test_several_sources(self) -> None:
        """
        Who is asked first decides, unless it does not know.
        """
        for sources, program in [
            ((), SERVER),
            ((["listeners"], ["proxy", "upstream"]), AGENT),
            ((["log"], ["connect"]), AGENT),
            (([], ["proxy", "connect"], ["listeners"]), AGENT),
            ((["proxy"], ["listeners", "connect"]), SERVER),
        ]:
            self.assertIs(recognise(*sources), program, sources)

    def test_trees(self) -> None:
        """
        A listener is a part of an agent.
        """
        self.assertIs(program_of(ServerConfig), SERVER)
        self.assertIs(program_of(AgentConfig), AGENT)
        self.assertIs(program_of(ListenerConfig), AGENT)
