"""The labels that a recommender's training rows have."""

from taiji_jax.pipeline import generator_data, generator_rerank
from taiji_jax.pipeline.generator_arms import MIXTURE
from taiji_jax.pipeline.generator_data import Shared
from taiji_jax.pipeline.generator_recipe import TrainedConfig
from taiji_jax.sft import rows as rows_lib
from taiji_jax.sft.rows import LabelledRows


def labelled(
  shared: Shared, config: TrainedConfig, share: float, teacher: str
) -> LabelledRows:
  """Returns the training rows and their labels.

  Args:
    shared: rows and teachers.
    config: how many labels the teacher gives.
    share: of the teacher.
    teacher: one of `generator_recipe.TEACHERS`.
  """
  rows = shared.data.train
  history = generator_data.histories(rows, shared.recipe.data.history)
  if not share:
    return rows_lib.one_hot(*history, rows.target_b)
  if teacher == MIXTURE:
    lists = shared.teacher(config.labels)
  else:
    lists = generator_rerank.teacher(shared, config.labels)
  return rows_lib.mixed(*history, rows.target_b, *lists, share)
