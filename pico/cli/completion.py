"""
``pico completion``: let a shell complete command lines.
"""

from __future__ import annotations

from typing import cast

import click

from pico.cli.command import Argument, Command
from pico.cli.shells.bash import bash_script
from pico.cli.shells.fish import fish_script
from pico.cli.shells.words import words_of
from pico.cli.shells.zsh import zsh_script

_WRITERS = {"bash": bash_script, "zsh": zsh_script, "fish": fish_script}


@click.command("completion", cls=Command)
@click.argument("shell", type=click.Choice(list(_WRITERS)), cls=Argument, explanation="Which shell the script is for.")
def completion(shell: str) -> None:
    """
    Print a script that lets a shell complete commands, flags and values.

    \b
    Examples, to have it in every new shell:
      pico completion bash > ~/.local/share/bash-completion/completions/pico
      pico completion zsh > ~/.zfunc/_pico
      pico completion fish > ~/.config/fish/completions/pico.fish

    \b
    Example, for this bash alone:
      source <(pico completion bash)

    For zsh, a directory that stands in $fpath before compinit runs is the right one.
    """
    root = click.get_current_context().find_root().command
    click.echo(_WRITERS[shell](words_of(cast(click.Group, root))), nl=False)
