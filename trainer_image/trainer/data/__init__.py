"""From files in a volume to batches on a device."""
