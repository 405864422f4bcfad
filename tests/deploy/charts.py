"""
The charts, how they are rendered, and what came of it.

``python -m tests.deploy.charts HELM`` renders all of them, with the program of Helm that is named.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, cast

import attrs
import yaml

HERE: Final = Path(__file__).parent
ETC: Final = HERE.parent.parent / "etc"
HELM: Final = ETC / "helm"
CHARTS: Final = ("pico", "pico-agent")

#: The cluster's key, which Helm makes anew each time.
KEY: Final = "0123456789abcdef" * 4
NAMESPACE: Final = "tunnels"

_KEY = re.compile(r"^  cluster-keys: \S+$", re.MULTILINE)
_DASHBOARD = re.compile(r"^  pico-(\w+)\.json: \|\n((?:    .*\n|\n)*)", re.MULTILINE)
_ALERTS = re.compile(r"^  groups:\n((?:   .*\n| *\n)*)", re.MULTILINE)

Manifest = Mapping[str, object]


@functools.cache
def _read(path: Path) -> Sequence[Manifest]:
    documents = yaml.safe_load_all(path.read_text(encoding="utf-8"))
    return [cast("Manifest", document) for document in documents if document is not None]


@attrs.frozen
class Rendering:
    """
    A chart with values.

    :ivar full: whether with those of ``values``, or with its own.
    """

    chart: str
    full: bool

    @property
    def name(self) -> str:
        """
        Of its files.
        """
        return f"{self.chart}-{'full' if self.full else 'default'}"

    @property
    def path(self) -> Path:
        """
        The manifests.
        """
        return HERE / "rendered" / f"{self.name}.yaml"

    def manifests(self) -> Sequence[Manifest]:
        """
        What Kubernetes is told.
        """
        return _read(self.path)


RENDERINGS: Final = tuple(Rendering(chart, full) for chart in CHARTS for full in (False, True))


def digest() -> str:
    """
    Of everything that the renderings are made of: a chart that was changed is to be rendered anew. The dashboards and
    alerts, which lie elsewhere, are not in it.
    """
    paths = [path for chart in CHARTS for path in (HELM / chart).rglob("*") if path.is_file()]
    paths = [path for path in paths if "files" not in path.relative_to(HELM).parts]
    found = hashlib.sha256()
    for path in sorted([*paths, *(HERE / "values").iterdir(), Path(__file__)]):
        found.update(str(path.name).encode() + b"\0" + path.read_bytes() + b"\0")
    return found.hexdigest()


DIGEST: Final = HERE / "rendered" / "digest"


def rendered(helm: str, rendering: Rendering) -> str:
    """
    Let Helm render a chart, after it has looked for faults.
    """
    values = [f"--values={HERE / 'values' / rendering.chart}.yaml"] if rendering.full else []
    chart = str(HELM / rendering.chart)
    subprocess.run([helm, "lint", "--strict", chart, "--kube-version=1.31.0", *values], check=True, capture_output=True)
    command = [helm, "template", rendering.chart, chart, f"--namespace={NAMESPACE}", "--kube-version=1.31.0", *values]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    text = _KEY.sub(f"  cluster-keys: {base64.b64encode(KEY.encode()).decode()}", text)
    return _without_copies(text)


def _without_copies(text: str) -> str:
    """
    Leave out the thousands of lines that are in the tree already, once it is sure that they are the same.
    """
    for name, block in _DASHBOARD.findall(text):
        original = (ETC / "grafana" / "dashboards" / f"{name}.json").read_text(encoding="utf-8")
        assert json.loads(block) == json.loads(original), name
    for block in _ALERTS.findall(text):
        original = (ETC / "prometheus" / "alerts.yaml").read_text(encoding="utf-8")
        original = original.replace("https://pico.example", "https://docs.example.com/pico")
        assert yaml.safe_load(f"groups:\n{block}") == yaml.safe_load(original)
    text = _DASHBOARD.sub(lambda found: f"  pico-{found[1]}.json: '{{}}'\n", text)
    return _ALERTS.sub("  groups: []\n", text)


def render_all(helm: str) -> None:
    """
    Write all of them.
    """
    for rendering in RENDERINGS:
        rendering.path.write_text(rendered(helm, rendering), encoding="utf-8")
    DIGEST.write_text(digest() + "\n", encoding="utf-8")


if __name__ == "__main__":
    render_all(sys.argv[1])
