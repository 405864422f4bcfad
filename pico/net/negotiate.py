"""
What a client would rather have (RFC 9110 section 12.5). Pure.
"""

from __future__ import annotations

import math


def weights(header: str) -> dict[str, float]:
    """
    Read the value of an Accept header or one like it.

    :return: from names in lower case, without parameters, to weights; of a name that comes twice the higher one. What
        is malformed weighs nothing.
    """
    found: dict[str, float] = {}
    for item in header.split(","):
        name, *parameters = (part.strip().lower() for part in item.split(";"))
        if name:
            found[name] = max(found.get(name, 0.0), _weight(parameters))
    return found


def prefers_open_metrics(accept: str) -> bool:
    """
    Whether metrics are wanted in the format of OpenMetrics: only if it is named, and nothing is liked better.
    """
    found = weights(accept)
    wanted = found.get("application/openmetrics-text", 0.0)
    others = [found.get(name, 0.0) for name in ("text/plain", "text/*")]
    return wanted > 0 and wanted >= max(others)


def takes_gzip(accept_encoding: str) -> bool:
    """
    Whether a body may be compressed: only if it is said.
    """
    return weights(accept_encoding).get("gzip", 0.0) > 0


def _weight(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name == "q":
            try:
                weight = float(value)
            except ValueError:
                return 0.0
            return weight if math.isfinite(weight) else 0.0
    return 1.0
