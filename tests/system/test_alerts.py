"""
promtool reads the alerts, and tries them.
"""

from __future__ import annotations

from tests.prometheus.alerts import FOLDER
from tests.system.case import SystemTestCase, run


class RuleTests(SystemTestCase):
    """
    ``etc/prometheus/alerts.yaml``.
    """

    def test_check(self) -> None:
        """
        Prometheus can load them.
        """
        checked = run(["promtool", "check", "rules", str(FOLDER / "alerts.yaml")])
        self.assertEqual(checked.returncode, 0, checked.stdout + checked.stderr)

    def test_behaviour(self) -> None:
        """
        Each is raised when it should be, and not before; a healthy cluster raises none.
        """
        tested = run(["promtool", "test", "rules", str(FOLDER / "alerts_test.yaml")])
        self.assertEqual(tested.returncode, 0, tested.stdout + tested.stderr)
