"""The knowledge-alignment loss: its terms, and what they look at while training."""
