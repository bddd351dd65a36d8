"""Frozen encoders and their tokenizers: from the hub, from a folder, or built in."""
