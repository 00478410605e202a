"""What a training shows: board, metrics, log, history, pictures."""
