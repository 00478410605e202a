"""What a TrainingJob's children look like: one file per kind, `build_x(job, …) -> manifest`. Pure."""
