"""What happens between data and result: plan, steps, measurements, state."""
