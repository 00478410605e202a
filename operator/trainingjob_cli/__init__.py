"""`trainingjob`, also `kubectl trainingjob`: TrainingJobs from a terminal, by way of the Python client."""
