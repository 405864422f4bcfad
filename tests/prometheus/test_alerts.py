"""
Alerts ask for what there is, and say what to do.
"""

from __future__ import annotations

import re

from twisted.trial.unittest import SynchronousTestCase

from tests.grafana.known import known_metrics, unknown
from tests.prometheus.alerts import FOLDER, alerts

_RUNBOOK = FOLDER.parent.parent / "docs" / "howto" / "alerts.md"


class AlertTests(SynchronousTestCase):
    """
    ``etc/prometheus/alerts.yaml``.
    """

    def test_known(self) -> None:
        """
        Metrics and labels are those of nodes and agents.
        """
        known = known_metrics()
        for alert in alerts():
            self.assertEqual(unknown(alert.query, known), [], alert.name)

    def test_told(self) -> None:
        """
        Each has a severity, a summary of one line, and a description in sentences.
        """
        for alert in alerts():
            self.assertIn(alert.labels["severity"], ("warning", "critical"))
            self.assertLessEqual(len(alert.annotations["summary"]), 100, alert.name)
            self.assertNotIn("\n", alert.annotations["summary"])
            self.assertRegex(alert.annotations["description"], r"^\S.*\.\n?$", alert.name)

    def test_runbook(self) -> None:
        """
        Each leads to its section, which names the same severity; there are no other sections of alerts.
        """
        text = _RUNBOOK.read_text(encoding="utf-8")
        for alert in alerts():
            self.assertEqual(
                alert.annotations["runbook_url"], f"https://pico.example/howto/alerts.html#{alert.name.lower()}"
            )
            _, found, section = text.partition(f"\n## {alert.name}\n")
            self.assertTrue(found, alert.name)
            self.assertIn(f"**{alert.labels['severity']}**", section.partition("\n## ")[0], alert.name)
        self.assertEqual(re.findall(r"^## (Pico\w+)$", text, re.MULTILINE), [alert.name for alert in alerts()])

    def test_tested(self) -> None:
        """
        Each has a test that it is raised.
        """
        text = (FOLDER / "alerts_test.yaml").read_text(encoding="utf-8")
        for alert in alerts():
            self.assertRegex(
                text, rf'alertname="{alert.name}", alertstate="firing"|alertname: {alert.name}\n', alert.name
            )
