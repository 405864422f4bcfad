"""
Dashboards as Grafana reads them (JSON model, schema 39: Grafana 10 and later).

https://grafana.com/docs/grafana/latest/dashboards/build-dashboards/view-dashboard-json-model/
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from tests.grafana.parts import GREEN, Dashboard, Panel, Row, Variable

_SOURCE = {"type": "prometheus", "uid": "${datasource}"}
_HEIGHT = {"stat": 4, "timeseries": 8, "bargauge": 8}
_WIDTH = 24

Model = dict[str, object]


def as_json(dashboard: Dashboard) -> str:
    """
    The text of its file.
    """
    return json.dumps(as_model(dashboard), indent=2, ensure_ascii=False) + "\n"


def as_model(dashboard: Dashboard) -> Model:
    """
    All of a dashboard. Who imports it gets his own id.
    """
    return {
        "uid": f"pico-{dashboard.name}",
        "title": f"Pico / {dashboard.title}",
        "description": dashboard.about,
        "tags": ["pico"],
        "schemaVersion": 39,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-1h", "to": "now"},
        "timezone": "browser",
        "links": [_all_of_ours()],
        "templating": {"list": [_source_variable(), *(_variable(each) for each in dashboard.variables)]},
        "panels": _panels(dashboard.rows),
    }


def _all_of_ours() -> Model:
    return {
        "type": "dashboards",
        "title": "Pico",
        "tags": ["pico"],
        "asDropdown": False,
        "includeVars": True,
        "keepTime": True,
    }


def _source_variable() -> Model:
    return {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus", "refresh": 1}


def _variable(variable: Variable) -> Model:
    query = f"label_values({variable.metric}, {variable.label})"
    return {
        "name": variable.name,
        "label": variable.title,
        "type": "query",
        "datasource": _SOURCE,
        "definition": query,
        "query": {"query": query, "refId": "A"},
        "refresh": 2,
        "sort": 1,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"text": ["All"], "value": ["$__all"]},
    }


def _panels(rows: Sequence[Row]) -> list[Model]:
    """
    Each row below the one before, its panels from left to right.
    """
    models: list[Model] = []
    top = 0
    for row in rows:
        place = {"h": 1, "w": _WIDTH, "x": 0, "y": top}
        models.append({"id": len(models) + 1, "type": "row", "title": row.title, "gridPos": place, "panels": []})
        top, left, height = top + 1, 0, 0
        for panel in row.panels:
            if left + panel.width > _WIDTH:
                top, left, height = top + height, 0, 0
            place = {"h": _HEIGHT[panel.kind], "w": panel.width, "x": left, "y": top}
            models.append({"id": len(models) + 1, **_panel(panel), "gridPos": place})
            left, height = left + panel.width, max(height, _HEIGHT[panel.kind])
        top += height
    return models


def _panel(panel: Panel) -> Model:
    return {
        "type": panel.kind,
        "title": panel.title,
        "description": panel.about,
        "datasource": _SOURCE,
        "targets": [
            {
                "refId": chr(ord("A") + index),
                "datasource": _SOURCE,
                "expr": query.text,
                "legendFormat": query.legend or "__auto",
                "instant": panel.kind != "timeseries",
                "range": panel.kind == "timeseries",
            }
            for index, query in enumerate(panel.queries)
        ],
        "fieldConfig": {"defaults": _defaults(panel), "overrides": []},
        "options": _options(panel),
        "links": [_link(panel.see)] if panel.see else [],
    }


def _link(name: str) -> Model:
    return {"title": f"More: {name}", "url": f"/d/pico-{name}?${{__url_time_range}}&${{__all_variables}}"}


def _defaults(panel: Panel) -> Model:
    steps: list[Model] = [{"color": GREEN, "value": None}]
    steps += [{"color": colour, "value": value} for value, colour in panel.thresholds]
    model: Model = {"unit": panel.unit, "min": 0, "thresholds": {"mode": "absolute", "steps": steps}}
    if panel.kind == "timeseries":
        stacking = {"mode": "normal" if panel.stacked else "none", "group": "A"}
        model["custom"] = {
            "drawStyle": "line",
            "fillOpacity": 30 if panel.stacked else 5,
            "showPoints": "never",
            "stacking": stacking,
            "thresholdsStyle": {"mode": "line" if panel.thresholds else "off"},
        }
    return model


def _options(panel: Panel) -> Mapping[str, object]:
    last = {"calcs": ["lastNotNull"], "fields": "", "values": False}
    if panel.kind == "timeseries":
        return {
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
            "tooltip": {"mode": "multi", "sort": "desc"},
        }
    if panel.kind == "bargauge":
        return {"displayMode": "basic", "orientation": "horizontal", "reduceOptions": last, "showUnfilled": True}
    return {"colorMode": "background", "graphMode": "none", "reduceOptions": last, "textMode": "auto"}
