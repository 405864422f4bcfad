"""
The page of all commands: ``python -m tests.cli.reference`` writes ``docs/commands.md``.
"""

from __future__ import annotations

from pathlib import Path

from tests.cli.invoking import commands, invoke

#: Where the page is.
PAGE = Path(__file__).parent.parent.parent / "docs" / "commands.md"

_WIDTH = 100

_HEAD = """\
# Commands

<!-- Written by `python -m tests.cli.reference`; changes by hand are lost. -->

What `-h` says of each command, all in one place. `pico help COMMAND` says it, too.

- Flags may be written `--flag value` or `--flag=value`, and stand behind the command that they belong to.
- Results go to standard output, everything else to standard error. With `-o json` nothing but the data is printed.
- Colours, bars and tables appear on terminals only; `NO_COLOR=1` turns colours off there, too.
- Exit status: 0 for success, 1 for what failed, 2 for a command line that cannot be understood; more on that in
  [Operating](operating.md#exit-status).
- `pico completion` lets bash, zsh and fish complete all of this.
"""


def page() -> str:
    """
    Word the page.
    """
    parts = [_HEAD]
    for path, _ in commands():
        name = " ".join(("pico", *path))
        text = invoke(*path, "--help", width=_WIDTH).stdout.strip()
        lines = "\n".join(line.rstrip() for line in text.splitlines())
        parts.append(f"\n{'#' * min(4, 2 + max(0, len(path) - 1))} `{name}`\n\n```text\n{lines}\n```\n")
    return "".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
