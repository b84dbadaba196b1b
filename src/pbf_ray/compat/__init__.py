"""For teams that move over step by step: what the replaced pipeline's own code can call."""
