"""From labels to a run folder: batches, stages, the loop, and what may go wrong."""
