"""The two-command quickstart: the embedded cluster with the operator on it, and a guided demo."""
