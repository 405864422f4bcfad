"""
The dashboards in ``etc`` are those of the code, and ask for what there is.
"""

from __future__ import annotations

import json
import re

from twisted.trial.unittest import SynchronousTestCase

from tests.grafana.known import known_metrics, unknown
from tests.grafana.model import as_json, as_model
from tests.grafana.write import DASHBOARDS, FOLDER


class FileTests(SynchronousTestCase):
    """
    ``etc/grafana/dashboards``.
    """

    def test_up_to_date(self) -> None:
        """
        The files are what the code says, and there are no others.
        """
        self.assertEqual({path.stem for path in FOLDER.iterdir()}, {each.name for each in DASHBOARDS})
        for each in DASHBOARDS:
            text = (FOLDER / f"{each.name}.json").read_text(encoding="utf-8")
            self.assertEqual(text, as_json(each), f"{each.name}.json is out of date: run python -m tests.grafana.write")


class QueryTests(SynchronousTestCase):
    """
    All queries of all panels.
    """

    def test_known(self) -> None:
        """
        Metrics and labels are those of nodes and agents, of variables too.
        """
        known = known_metrics()
        for dashboard in DASHBOARDS:
            for panel in dashboard.panels:
                for query in panel.queries:
                    self.assertEqual(unknown(query.text, known), [], f"{dashboard.name}, {panel.title}: {query.text}")
            for variable in dashboard.variables:
                self.assertIn(variable.label, known[variable.metric])

    def test_variables(self) -> None:
        """
        Each variable that is asked for is there to be chosen, and each of those is asked for.
        """
        for dashboard in DASHBOARDS:
            text = " ".join(query.text for panel in dashboard.panels for query in panel.queries)
            self.assertEqual(
                set(re.findall(r"\$(\w+)", text)) - {"__rate_interval"}, {each.name for each in dashboard.variables}
            )

    def test_legends(self) -> None:
        """
        Legends name labels that the series still have.
        """
        for dashboard in DASHBOARDS:
            for panel in dashboard.panels:
                for query in panel.queries:
                    for label in re.findall(r"{{(\w+)}}", query.legend):
                        kept = re.findall(r"(?:sum|min|max|count) by \(([^)]*)\)", query.text)
                        if kept:
                            self.assertIn(label, ", ".join(kept).split(", "), f"{panel.title}: {query.legend}")

    def test_all_metrics(self) -> None:
        """
        Everything that Pico counts is to be seen somewhere, but what is said here.
        """
        text = " ".join(query.text for each in DASHBOARDS for panel in each.panels for query in panel.queries)
        # The processes' own numbers are of all programs; those here say what others say, too.
        ours = {re.sub("_(bucket|sum|count)$", "", name) for name in known_metrics() if name.startswith("pico_")}
        self.assertEqual({name for name in ours if name not in text}, set())


class ReaderTests(SynchronousTestCase):
    """
    What a reader finds.
    """

    def test_panels(self) -> None:
        """
        Each panel says what it means, and where more is; titles of a dashboard differ.
        """
        names = {each.name for each in DASHBOARDS}
        for dashboard in DASHBOARDS:
            titles = [panel.title for panel in dashboard.panels]
            self.assertEqual(len(titles), len(set(titles)), titles)
            for panel in dashboard.panels:
                self.assertRegex(panel.about, r"^[a-zA-Z0-9].*\.$", panel.title)
                if panel.see:
                    self.assertIn(panel.see, names - {dashboard.name})

    def test_questions_first(self) -> None:
        """
        The first row are numbers that are coloured where something is wrong.
        """
        for dashboard in DASHBOARDS:
            first = dashboard.rows[0]
            self.assertTrue(first.title.endswith("?"))
            self.assertEqual({panel.kind for panel in first.panels}, {"stat"})
            self.assertGreaterEqual(sum(bool(panel.thresholds) for panel in first.panels), 4)


class ModelTests(SynchronousTestCase):
    """
    What Grafana reads.
    """

    def test_places(self) -> None:
        """
        No two panels lie on each other, none leaves the page, and no id is there twice.
        """
        for dashboard in DASHBOARDS:
            panels = json.loads(as_json(dashboard))["panels"]
            taken: set[tuple[int, int]] = set()
            for panel in panels:
                place = panel["gridPos"]
                cells = {
                    (x, y)
                    for x in range(place["x"], place["x"] + place["w"])
                    for y in range(place["y"], place["y"] + place["h"])
                }
                self.assertEqual(taken & cells, set(), panel["title"])
                self.assertLessEqual(place["x"] + place["w"], 24)
                taken |= cells
            self.assertEqual(len({panel["id"] for panel in panels}), len(panels))

    def test_thresholds(self) -> None:
        """
        Colours change upwards, from green.
        """
        for dashboard in DASHBOARDS:
            for panel in dashboard.panels:
                values = [value for value, _ in panel.thresholds]
                self.assertEqual(values, sorted(values), panel.title)

    def test_same_source(self) -> None:
        """
        Every panel asks the data source that the reader has chosen.
        """
        for dashboard in DASHBOARDS:
            panels = json.loads(as_json(dashboard))["panels"]
            for panel in panels:
                if panel["type"] != "row":
                    uids = {panel["datasource"]["uid"], *(each["datasource"]["uid"] for each in panel["targets"])}
                    self.assertEqual(uids, {"${datasource}"})
            self.assertEqual(as_model(dashboard)["uid"], f"pico-{dashboard.name}")
