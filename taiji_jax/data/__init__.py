"""Logs to examples: readers, splits, prompts, tokenizers, pipelines.

Nothing here imports jax: the records are numpy arrays. The pipelines are grain,
which brings jax along; it is imported when the first one is made.
"""
