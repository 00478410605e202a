"""The HTTP API over TrainingJobs: requests in snake_case in, progress, history and server-sent events out."""
