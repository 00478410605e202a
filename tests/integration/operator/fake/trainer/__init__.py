"""Stands in for the trainer where only the operator is tested."""
