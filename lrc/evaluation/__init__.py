"""Scores and confidence: of a run in torch and of a bundle, through the same decoding."""
