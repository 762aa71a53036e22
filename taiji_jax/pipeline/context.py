"""What every stage of a run shares."""

import dataclasses
import functools
import pathlib

from jax.sharding import Mesh

from taiji_jax import metrics
from taiji_jax.modules.embedder import TextEmbedder
from taiji_jax.pipeline.recipe import Recipe
from taiji_jax.products import Products


@dataclasses.dataclass(frozen=True)
class Context:
  """One run.

  Attributes:
    recipe: its configuration.
    workdir: where it writes.
    mesh: where it computes.
  """

  recipe: Recipe
  workdir: pathlib.Path
  mesh: Mesh

  @functools.cached_property
  def products(self) -> Products:
    """Returns the cache of stage products."""
    return Products(self.workdir / 'products')

  @functools.cached_property
  def writer(self) -> metrics.Writer:
    """Returns where metrics go."""
    return metrics.Writer(self.workdir)

  @functools.cached_property
  def embedder(self) -> TextEmbedder:
    """Returns the frozen text encoder of r_s and of title retrieval."""
    return TextEmbedder.minilm()
