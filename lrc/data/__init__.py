"""Labelled and unlabelled data: what an example is, every format that it comes in, and few-shot draws."""
