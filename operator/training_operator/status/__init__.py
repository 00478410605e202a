"""Observed + Plan -> the whole status: what happened to it, what the trainer reported, a summary, conditions, notes."""
