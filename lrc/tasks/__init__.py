"""The tasks: what is learned from which labels, and how it is scored."""
