"""What is made: the table of every block, the drawing of every figure."""

from collections.abc import Callable, Mapping
import dataclasses

from experiments import recipe_fields
from experiments.documents import (
  cot,
  decoding,
  generator,
  pareto,
  popo,
  speed,
  taiji,
  tpu,
  weightings,
)
from experiments.documents.figures import Drawing
from experiments.documents.sources import Sources


@dataclasses.dataclass(frozen=True)
class Registry:
  """Rows.

  Attributes:
    tables: block -> sources to Markdown.
    figures: path below the root -> its drawing.
  """

  tables: Mapping[str, Callable[[Sources], str]]
  figures: Mapping[str, Drawing]


REGISTRY = Registry(
  tables=popo.TABLES
  | weightings.TABLES
  | taiji.TABLES
  | generator.TABLES
  | cot.TABLES
  | speed.TABLES
  | decoding.TABLES
  | pareto.TABLES
  | tpu.TABLES
  | {'recipe_fields': recipe_fields.markdown},
  figures=popo.FIGURES
  | weightings.FIGURES
  | taiji.FIGURES
  | generator.FIGURES
  | cot.FIGURES
  | pareto.FIGURES,
)
