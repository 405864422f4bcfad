"""
The dashboards in ``etc/grafana/dashboards``: what they show is written here, and Grafana's JSON is made of it.

``python -m tests.grafana.write`` makes the files anew. ``parts`` says what a dashboard is made of, ``model`` writes it
as Grafana reads it; each of the others is one dashboard.
"""
