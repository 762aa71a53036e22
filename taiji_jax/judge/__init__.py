"""Judges of items in rows: what a generator's training may ask, never serving.

S-GRec (arXiv:2602.10606): a judge says how well an item suits what is known of
a user, aspect by aspect, and training alone listens. Here are the baselines
that any judge must beat: `CosineJudge` and `RandomJudge`.
"""

from taiji_jax.judge.base import Judge
from taiji_jax.judge.cosine import CosineJudge
from taiji_jax.judge.random_scores import RandomJudge

__all__ = ['CosineJudge', 'Judge', 'RandomJudge']
