"""
Completion for bash, 3.2 and later.

Readline cuts a line also at ``=`` and ``:``, so a flag with its value may be three words, and an address several more;
words that mean nothing are passed over. Tables are ``case`` statements because macOS has a bash without associative
arrays.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable

from pico.cli.shells.words import Flag, Words

_SCRIPT = """\
# Completion of pico for bash, made by "pico completion bash".

_pico_commands() {
    case $1 in
@commands@
    *) found= ;;
    esac
}

_pico_flags() {
    case $1 in
@flags@
    *) found= ;;
    esac
}

_pico_choices() {
    case $1 in
@choices@
    *) found= ;;
    esac
}

# Whether the argument of a command may be a file.
_pico_takes_file() {
    case $1 in
@files@
    *) return 1 ;;
    esac
}

# What the value of a flag may be: words, "/" for a file, "*" for anything; nothing for a flag without a value.
_pico_values() {
    case "$1 $2" in
@values@
    *) found= ;;
    esac
}

_pico() {
    local IFS=$' \\t\\n' path=pico found= flag= argument= files= prefix= word index=1
    local current=${COMP_WORDS[COMP_CWORD]}
    COMPREPLY=()
    while [ "$index" -lt "$COMP_CWORD" ]; do
        word=${COMP_WORDS[index]}
        index=$((index + 1))
        if [ -n "$flag" ]; then
            [ "$word" = = ] || flag=
            continue
        fi
        case $word in
        -*)
            _pico_values "$path" "$word"
            [ -z "$found" ] || flag=$word
            ;;
        *)
            _pico_commands "$path"
            case " $found " in
            *" $word "*) path="$path $word" ;;
            *) argument=$word ;;
            esac
            ;;
        esac
    done
    if [ -n "$flag" ]; then
        [ "$current" != = ] || current=
    else
        case $current in
        -*=*)
            flag=${current%%=*}
            prefix=$flag=
            current=${current#*=}
            ;;
        esac
    fi
    if [ -n "$flag" ]; then
        _pico_values "$path" "$flag"
        case $found in
        '' | '*') return ;;
        /)
            compopt -o filenames 2>/dev/null
            IFS=$'\\n'
            COMPREPLY=($(compgen -P "$prefix" -f -- "$current"))
            ;;
        *) COMPREPLY=($(compgen -P "$prefix" -W "$found" -- "$current")) ;;
        esac
        return
    fi
    case $current in
    -*) _pico_flags "$path" ;;
    *)
        _pico_commands "$path"
        [ -n "$found$argument" ] || _pico_choices "$path"
        ! _pico_takes_file "$path" || files=yes
        [ -n "$found$files" ] || _pico_flags "$path"
        ;;
    esac
    COMPREPLY=($(compgen -W "$found" -- "$current"))
    if [ -n "$files" ]; then
        compopt -o filenames 2>/dev/null
        IFS=$'\\n'
        COMPREPLY+=($(compgen -f -- "$current"))
    fi
}

complete -F _pico pico
"""


def bash_script(words: Words) -> str:
    """
    Write the script.
    """
    every = list(words.all())
    tables = {
        "commands": _table((each, [below.path[-1] for below in each.commands]) for each in every),
        "flags": _table((each, [name for flag in each.flags for name in flag.names]) for each in every),
        "choices": _table((each, each.choices) for each in every),
        "files": "\n".join(f"    {_quoted(each)}) return 0 ;;" for each in every if each.file),
        "values": "\n".join(_values(each) for each in every if any(flag.value for flag in each.flags)),
    }
    script = _SCRIPT
    for name, table in tables.items():
        script = script.replace(f"@{name}@", table)
    return script


def _table(rows: Iterable[tuple[Words, Iterable[str]]]) -> str:
    lines = []
    for command, found in rows:
        text = " ".join(found)
        if text:
            lines.append(f"    {_quoted(command)}) found={shlex.quote(text)} ;;")
    return "\n".join(lines)


def _values(command: Words) -> str:
    by_value: dict[str, list[str]] = {}
    for flag in command.flags:
        if flag.value:
            by_value.setdefault(_value(flag), []).extend(flag.names)
    lines = []
    for value, names in by_value.items():
        patterns = " | ".join(shlex.quote(f"{' '.join(command.path)} {name}") for name in names)
        lines.append(f"    {patterns}) found={shlex.quote(value)} ;;")
    return "\n".join(lines)


def _value(flag: Flag) -> str:
    return "/" if flag.file else " ".join(flag.choices) or "*"


def _quoted(command: Words) -> str:
    return shlex.quote(" ".join(command.path)) if len(command.path) > 1 else command.path[0]
