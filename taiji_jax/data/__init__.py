"""Logs to examples: readers, splits, prompts, tokenizers, pipelines.

Nothing here imports jax: the records are numpy arrays and the pipelines grain.
"""
