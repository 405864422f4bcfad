"""
Completion for fish, 3.0 and later.
"""

from __future__ import annotations

from collections.abc import Iterator

from pico.cli.shells.words import Flag, Words

_HEAD = """\
# Completion of pico for fish, made by "pico completion fish".

set -g __pico_commands @commands@
set -g __pico_valued @valued@

function __pico_command
    set -l path pico
    set -l words (commandline -opc)
    set -e words[1]
    set -l value 0
    for word in $words
        if test $value = 1
            set value 0
        else if string match -q -- '-*' $word
            if contains -- "$path $word" $__pico_valued
                set value 1
            end
        else if contains -- "$path $word" $__pico_commands
            set path "$path $word"
        end
    end
    echo $path
end

complete -c pico -f
"""


def fish_script(words: Words) -> str:
    """
    Write the script.
    """
    every = list(words.all())
    commands = [" ".join(each.path) for each in every[1:]]
    valued = [
        f"{' '.join(each.path)} {name}" for each in every for flag in each.flags if flag.value for name in flag.names
    ]
    head = _HEAD.replace("@commands@", " ".join(map(_quoted, commands)))
    head = head.replace("@valued@", " ".join(map(_quoted, valued)))
    return head + "".join(f"{line}\n" for each in every for line in _lines(each))


def _lines(command: Words) -> Iterator[str]:
    path = " ".join(command.path)
    at = "complete -c pico -n " + _quoted(f'test (__pico_command) = "{path}"')
    for below in command.commands:
        yield f"{at} -a {_quoted(below.path[-1])} -d {_quoted(below.help)}"
    if command.choices:
        yield f"{at} -a {_quoted(' '.join(command.choices))}"
    if command.file:
        yield f"{at} -F"
    for flag in command.flags:
        names = " ".join(f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}" for name in flag.names)
        yield f"{at} {names}{_value(flag)} -d {_quoted(flag.help)}"


def _value(flag: Flag) -> str:
    if not flag.value:
        return ""
    if flag.file:
        return " -r -F"
    return f" -x -a {_quoted(' '.join(flag.choices))}" if flag.choices else " -x"


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
