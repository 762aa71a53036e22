"""Checkpoints of others: key maps to our parameters, and back."""
