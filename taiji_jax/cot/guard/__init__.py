"""What of a reasoning text gives its answer away, and what is cut for it."""
