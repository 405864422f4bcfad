"""
Builds Pico as pure Python, or, when PICO_COMPILE=1 is set, with the modules that every request passes through compiled.

Everything else about the distribution stands in setup.cfg.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from setuptools import Extension, setup

#: Modules whose classes mypyc makes into native ones. Those that define zope interfaces or inherit from Twisted's
#: classes cannot be among them.
COMPILED = (
    "wire/**/*.py",
    "log/escape.py",
    "log/levels.py",
    "log/lines.py",
    "log/observer.py",
    "log/outlet.py",
    "log/redaction.py",
    "log/text.py",
    "metrics.py",
    "names.py",
    "net/deadlines.py",
    "net/splice.py",
    "net/turn.py",
    "net/websocket.py",
    "net/http/access_log.py",
    "net/http/answers.py",
    "net/http/client.py",
    "net/http/exchange.py",
    "net/http/fields.py",
    "net/http/gateway.py",
    "net/http/pool.py",
    "net/http/request_ids.py",
    "net/http/server.py",
    "net/http/tally.py",
    "tunnel/session.py",
    "tunnel/stream.py",
    "tunnel/supply.py",
    "cluster/opening.py",
    "cluster/relay.py",
    "cluster/remote.py",
    "upstream/balancing.py",
    "upstream/registry.py",
    "upstream/selector.py",
    "upstream/tunnel.py",
    "proxy/headers.py",
    "proxy/port.py",
    "proxy/record.py",
    "proxy/routing.py",
    "proxy/trust.py",
    "agent/backend.py",
    "agent/headers.py",
    "agent/listener.py",
)


def _extensions() -> list[Extension]:
    if os.environ.get("PICO_COMPILE", "") not in ("1", "yes", "true"):
        return []
    if not {"bdist_wheel", "build", "build_ext", "editable_wheel"} & set(sys.argv):
        return []  # only asked for the metadata
    try:
        from mypyc.build import mypycify
    except ImportError:
        raise SystemExit(
            "PICO_COMPILE=1 needs mypy and mypy-zope where Pico is built: pip install 'pico-proxy[types]', then build"
            " with --no-build-isolation."
        ) from None
    package = Path(__file__).parent / "pico"
    paths = sorted({path for pattern in COMPILED for path in package.glob(pattern) if path.name != "__init__.py"})
    made = mypycify([str(path.relative_to(package.parent)) for path in paths], target_dir="build/mypyc")
    return [extension for extension in made if isinstance(extension, Extension)]


setup(ext_modules=_extensions())
