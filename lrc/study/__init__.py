"""Studies: many runs from one file, and their results."""
