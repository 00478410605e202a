"""What the operator serves at /metrics: what it counts itself, and a mirror of every TrainingJob's status."""
