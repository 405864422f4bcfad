"""
``twistd pico`` takes what ``pico server`` takes.
"""

from __future__ import annotations

import contextlib
import io

from twisted.trial.unittest import SynchronousTestCase

from pico.cli.options import settings_in
from pico.cli.server import server
from pico.cli.sources import gather
from pico.cli.twistd import Options
from pico.config.fields import Kind, flag_of
from pico.config.keys import FILE_LEAVES, keys_of
from pico.config.server import ServerConfig
from pico.config.values import convert, value_at
from tests.config.support import samples


def from_twistd(*arguments: str) -> dict[str, str]:
    """
    Read a command line as twistd does.
    """
    options = Options()
    options.parseOptions(arguments)
    return options.settings()


def from_pico(*arguments: str) -> dict[str, str]:
    """
    Read it as ``pico server`` does.
    """
    return settings_in(dict(server.make_context("server", list(arguments)).params))


class OptionsTests(SynchronousTestCase):
    """
    One tree, one parser, two commands.
    """

    def test_every_setting(self) -> None:
        """
        Each flag, under each of its names, is understood by both, and sets what it says.
        """
        for leaf in keys_of(ServerConfig).leaves:
            for path in leaf.paths:
                for text in samples(leaf):
                    argument = f"{flag_of(path)}={text}"
                    settings = from_twistd(argument)
                    self.assertEqual(settings, {leaf.dotted: text}, argument)
                    self.assertEqual(settings, from_pico(argument))
                    if leaf.secret:
                        continue  # of a file that is not there
                    value = value_at(gather(settings, {}).load(ServerConfig).config, leaf.path)
                    self.assertEqual(value, convert(leaf, text), argument)

    def test_all_at_once(self) -> None:
        """
        The whole tree on one command line, values behind a blank, switches alone.
        """
        arguments: list[str] = []
        for leaf in keys_of(ServerConfig).leaves:
            arguments += [leaf.flag] if leaf.setting.kind is Kind.BOOL else [leaf.flag, samples(leaf)[0]]
        settings = from_twistd(*arguments)
        self.assertEqual(set(settings), {leaf.dotted for leaf in keys_of(ServerConfig).leaves})
        self.assertEqual(settings, from_pico(*arguments))

    def test_the_file(self) -> None:
        """
        So are the flags that name the file.
        """
        path, expand = FILE_LEAVES
        arguments = [f"{path.flag}=etc/pico.yaml", expand.flag]
        self.assertEqual(from_twistd(*arguments), {"config.path": "etc/pico.yaml", "config.expand_env": "true"})
        self.assertEqual(from_twistd(*arguments), from_pico(*arguments))

    def test_switches_and_lists(self) -> None:
        """
        A switch is turned off with its value, a list grows with each flag, and of several values the last one holds.
        """
        for arguments, settings in [
            (["--proxy.access-log.disable"], {"proxy.access_log.disable": "true"}),
            (["--proxy.access-log.disable=true"], {"proxy.access_log.disable": "true"}),
            (["--proxy.access-log.disable=false"], {"proxy.access_log.disable": "false"}),
            (["--log.subsystems=a,b", "--log.subsystems=c"], {"log.subsystems": "a,b,c"}),
            (["--log.level=warn", "--log.level=error"], {"log.level": "error"}),
            ([], {}),
        ]:
            self.assertEqual(from_twistd(*arguments), settings)
            self.assertEqual(from_pico(*arguments), settings)

    def test_wrong_use(self) -> None:
        """
        What cannot be understood is status 2 with a hint; help is status 0.
        """
        for arguments, status, text in [
            (["--proxy.bind-adr=:1"], 2, "--proxy.bind-addr"),
            (["--proxy.acces-log.disable"], 2, "--proxy.access-log.disable"),
            (["--proxy.bind-addr"], 2, "requires an argument"),
            (["--proxy.access-log.disable=maybe"], 2, "'maybe' is neither true nor false"),
            (["--cluster.nonsense=x"], 2, "--cluster.nonsense"),
            (["--proxy.tls.cert=x"], 2, "Pico has no TLS on its ports yet"),
            (["extra"], 2, "extra"),
            (["--help"], 0, "--proxy.bind-addr"),
            (["-h"], 0, "--proxy.bind-addr"),
        ]:
            said = io.StringIO()
            with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
                end = self.assertRaises(SystemExit, from_twistd, *arguments)
            self.assertEqual(end.code, status, arguments)
            self.assertIn(text, said.getvalue())
            self.assertNotIn("--no-", said.getvalue())
