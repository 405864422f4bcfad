"""
The open-file limit of a program that runs until it is stopped.
"""

from __future__ import annotations

from twisted.logger import Logger

from pico.config.files import OpenFiles
from pico.doctor.finding import Level
from pico.doctor.limits import judge_open_files
from pico.net.files import allow_open_files

_log = Logger(namespace="main")


def make_room(needed: OpenFiles) -> None:
    """
    Raise the limit as far as possible, and warn if that is not enough for what the settings allow.
    """
    finding = judge_open_files(allow_open_files(), needed)
    if finding.level is not Level.OK:
        _log.warn("open files: {finding}; {advice}", finding=finding.text, advice=finding.advice)
