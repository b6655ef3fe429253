"""Floor 3: writing arrays to files. Knows no window and no checkpoint format."""
