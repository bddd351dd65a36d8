"""What lrc measures of itself: programs by subject, and what they found in `results`."""
