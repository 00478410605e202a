"""Checkpoints that survive crashes, full disks and flipped bits; everything but `tensors` works without torch."""
