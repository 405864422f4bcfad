"""
The access log that a configuration describes.
"""

from __future__ import annotations

from pico.config.sections import AccessLog as AccessLogConfig
from pico.config.sections import Log, access_log_problems
from pico.errors import ConfigError
from pico.log.levels import Threshold
from pico.log.redaction import Redaction
from pico.net.http.access_log import AccessLog, AccessLogSettings, HeaderChoice


def make_access_log(config: AccessLogConfig, log: Log, subsystem: str, whose: str) -> AccessLog:
    """
    Make it.

    :param log: the program's own log, which the lines go to.
    :param whose: stands in front of the setting's name in an error.
    :raises ConfigError: for settings that cannot be used together.
    """
    for problem in access_log_problems(config):
        raise ConfigError(f"{whose}{problem}")
    settings = AccessLogSettings(
        enabled=not config.disable,
        level=config.level,
        threshold=Threshold(log.level, log.subsystems),
        redaction=Redaction(log.redact),
        request_headers=HeaderChoice(config.request_headers.allow_list, config.request_headers.block_list),
        response_headers=HeaderChoice(config.response_headers.allow_list, config.response_headers.block_list),
    )
    return AccessLog(settings, subsystem)
