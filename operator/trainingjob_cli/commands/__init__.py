"""A file for each command, or for a few that belong together. At their top they import only what `--help` needs."""
