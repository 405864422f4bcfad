"""
``pico config``: look at a configuration without running it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import click
import msgspec

from pico.cli.command import Argument, Command, Group, Option, output_flag
from pico.cli.options import PREFIX, options_of, settings_in, switched, warn
from pico.cli.sources import Sources, gather
from pico.config.faults import InvalidConfig
from pico.config.keys import FILE_LEAVES, keys_of
from pico.config.load import Loaded
from pico.config.trees import PROGRAMS, Program
from pico.errors import ConfigError

#: The exit status for a configuration that nothing would start with.
FAULTY = 2

_WHICH = "[server|agent] [FILE]"

_which = click.argument(
    "which",
    cls=Argument,
    metavar=_WHICH,
    nargs=-1,
    words=[program.name for program in PROGRAMS],
    file=True,
    explanation="Whose configuration it is, if that is not told by what it contains; and the file (or --config.path).",
)


class EitherCommand(Command):
    """
    A command that takes the flags of every program.

    Its help shows its own only: those of the programs are in theirs.
    """

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]  # click's own signature, passed on
        both = {leaf.path: leaf for program in PROGRAMS for leaf in keys_of(program.tree).leaves}
        self.params += [*options_of(FILE_LEAVES), *options_of(both.values(), hidden=True)]
        self.params.append(
            Option([f"{PREFIX}listeners", "--endpoints"], metavar="ENDPOINT/ADDR[,...]", multiple=True, hidden=True)
        )
        self.epilog = "Every flag of 'pico server' or 'pico agent' can be given, too."

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """
        Read the command line.
        """
        return super().parse_args(ctx, switched(self, ctx, args))

    def why_absent(self, flag: str) -> str:
        """
        Say why there is no such flag, if it is one that people bring along.
        """
        reasons = (keys_of(program.tree).absent_flag(flag) for program in PROGRAMS)
        return next((reason for reason in reasons if reason), "")


@click.group("config", cls=Group)
def config() -> None:
    """
    Check a configuration, show what comes of it, or print the manual's page about all settings.

    \b
    Example:
      pico config check etc/pico.yaml
    """


@config.command("check", cls=EitherCommand)
@_which
def check(which: Sequence[str], **values: object) -> None:
    """
    Say everything that is wrong with a configuration.

    It is that of a node or of an agent: say "server" or "agent", or have it told by what it contains. The exit status
    is 0 if nothing is wrong, else 2.

    \b
    Example:
      pico config check etc/pico.yaml
    """
    program, sources, _ = _load(which, values)
    click.echo(f"{sources.path or 'environment and flags'}: a valid configuration of {program.what}")


@config.command("show", cls=EitherCommand)
@_which
@output_flag(["yaml", "json"], "Form of the output.")
def show(which: Sequence[str], output: str, **values: object) -> None:
    """
    Show every setting as it is in force, and where its value comes from. Secrets are hidden.

    It is that of a node or of an agent: say "server" or "agent", or have it told by what it contains.

    \b
    Example:
      pico config show agent --config.path etc/agent.yaml
    """
    from pico.config.show import show_json, show_yaml

    _, _, loaded = _load(which, values)
    if output == "json":
        click.echo(json.dumps(show_json(loaded), indent=2, ensure_ascii=False))
    else:
        click.echo(show_yaml(loaded), nl=False)


@config.command("docs", cls=Command)
def docs() -> None:
    """
    Print the manual's page about all settings, in Markdown.

    \b
    Example:
      pico config docs > docs/configuration.md
    """
    from pico.config.reference import reference

    click.echo(reference(), nl=False)


def _load(which: Sequence[str], values: dict[str, object]) -> tuple[Program, Sources, Loaded[msgspec.Struct]]:
    """
    Read what the command line names, or end with every fault and status 2.
    """
    flags = settings_in(values)
    named, path = _named(which)
    if path:
        if FILE_LEAVES[0].dotted in flags:
            raise click.UsageError(f"two files: {path} and {flags[FILE_LEAVES[0].dotted]}")
        flags[FILE_LEAVES[0].dotted] = path
    try:
        sources = gather(flags)
        program = named or sources.recognise()
        loaded = sources.load(program.tree)
    except InvalidConfig as error:
        for fault in error.faults:
            click.echo(str(fault), err=True)
        raise click.exceptions.Exit(FAULTY) from None
    except ConfigError as error:
        click.echo(f"pico: {error}", err=True)
        raise click.exceptions.Exit(FAULTY) from None
    warn(loaded.warnings)
    return program, sources, loaded


def _named(words: Sequence[str]) -> tuple[Program | None, str]:
    """
    Tell a program's name from a file's; a file of such a name is ./server.
    """
    programs = {program.name: program for program in PROGRAMS}
    named = [programs[word] for word in words if word in programs]
    files = [word for word in words if word not in programs]
    if len(named) > 1 or len(files) > 1:
        raise click.UsageError(f"too many arguments: {' '.join(words)}; write {_WHICH}")
    return (named[0] if named else None), (files[0] if files else "")
