"""Pseudo-data: labelled examples made from unlabelled text, without a translation system."""
