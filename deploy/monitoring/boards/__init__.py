"""Grafana's boards as code: a file for each, written to ../dashboards by `make dashboards`."""
