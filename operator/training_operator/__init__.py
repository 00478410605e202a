"""Turns TrainingJobs into Jobs and what it sees into status; keeps nothing that it could not rebuild."""
