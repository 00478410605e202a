"""One pod: its processes, their signals, and the word it leaves behind."""
