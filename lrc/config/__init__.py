"""Settings of a run, and those that each transfer method brings."""
