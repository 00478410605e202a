"""Frameworks that own the training loop. Nothing here is imported unless a program does so: they are not installed."""
