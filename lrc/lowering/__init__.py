"""From a run to a bundle: prompts and adapters folded in, and samples for the compiler."""
