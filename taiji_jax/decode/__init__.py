"""Decoding: rollouts, teachers and serving share it."""
