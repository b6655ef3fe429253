"""Floor 4: the window. Asks the floors below, and parses nothing itself."""
