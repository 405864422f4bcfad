"""
Completion for zsh: a function for each command, on zsh's own ``_arguments``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from pico.cli.shells.words import Flag, Words

#: What means something in a specification of ``_arguments``.
_SPECIAL = re.compile(r"([\[\]:\\])")

_END = """
if [ "$funcstack[1]" = _pico ]; then
    _pico "$@"
else
    compdef _pico pico
fi
"""


def zsh_script(words: Words) -> str:
    """
    Write the script.
    """
    head = '#compdef pico\n# Completion of pico for zsh, made by "pico completion zsh".\n'
    return head + "".join(_function(each) for each in words.all()) + _END


def _function(command: Words) -> str:
    flags = [_quoted(spec) for flag in command.flags for spec in _specs(flag)]
    if command.commands:
        return _group(command, flags)
    # With a message in the place of no words zsh would list a flag that it could insert.
    rest = f"1:word:({' '.join(command.choices)})" if command.choices else "*: :()"
    if command.file:
        rest = f"*:file:{{compadd -- {' '.join(command.choices)}; _files}}" if command.choices else "*:file:_files"
    return f"\n{_name(command)}() {{\n    _arguments -S{_lines([*flags, _quoted(rest)])}\n}}\n"


def _group(command: Words, flags: Sequence[str]) -> str:
    described = "".join(
        f"\n            {_quoted(f'{each.path[-1]}:{_SPECIAL.sub(_escape, each.help)}')}" for each in command.commands
    )
    cases = "".join(f"        {each.path[-1]}) {_name(each)} ;;\n" for each in command.commands)
    arguments = _lines([*flags, "'1: :->command'", "'*:: :->rest'"])
    return (
        f"\n{_name(command)}() {{\n"
        "    local context state state_descr line\n"
        "    local -a commands\n"
        "    typeset -A opt_args\n"
        f"    _arguments -S -C{arguments}\n"
        "    case $state in\n"
        "    command)\n"
        f"        commands=({described}\n        )\n"
        "        _describe command commands\n"
        "        ;;\n"
        "    rest)\n"
        f"        case $words[1] in\n{cases}        esac\n"
        "        ;;\n"
        "    esac\n"
        "}\n"
    )


def _specs(flag: Flag) -> list[str]:
    """
    The specifications of a flag, one for each of its names; one name excludes the others.
    """
    others = f"({' '.join(flag.names)})" if len(flag.names) > 1 else ""
    text = f"[{_SPECIAL.sub(_escape, flag.help)}]"
    value = ""
    if flag.value:
        action = "_files" if flag.file else f"({' '.join(flag.choices)})" if flag.choices else " "
        value = f":{_SPECIAL.sub(_escape, flag.value)}:{action}"
    return [f"{others}{name}{'=' if value and name.startswith('--') else ''}{text}{value}" for name in flag.names]


def _name(command: Words) -> str:
    return "_" + "_".join(command.path)


def _lines(arguments: Sequence[str]) -> str:
    return "".join(f" \\\n        {argument}" for argument in arguments)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def _escape(match: re.Match[str]) -> str:
    return "\\" + match[1]
