"""Rows to records of any frozen dataclass, each exactly once, in shards.

A job is a number of rows and a function that makes the records of a block of
them. `run` writes one file a block, goes on where it was killed, and leaves the
same bytes whoever made them: one process, many hosts, or a Beam runner
(`beam_pipeline.run`). `read` gives the records back in order. What a record is
says a `Codec`; nothing here knows what the records are about.
"""

from taiji_jax.shards.codec import Codec
from taiji_jax.shards.dataset import Manifest, Source, manifest, read
from taiji_jax.shards.job import Work, run
from taiji_jax.shards.spec import JobSpec

__all__ = [
  'Codec',
  'JobSpec',
  'Manifest',
  'Source',
  'Work',
  'manifest',
  'read',
  'run',
]
