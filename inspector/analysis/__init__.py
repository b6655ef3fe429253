"""Floor 3: statistics, histograms and pictures of arrays. Knows no window and no file format."""
