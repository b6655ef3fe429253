"""Floor 2: entries and live tensors become NumPy arrays. Knows no window."""
