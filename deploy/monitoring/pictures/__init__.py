"""What a board shows of a Prometheus, drawn without Grafana: queries, units and layout come from the board's JSON."""
