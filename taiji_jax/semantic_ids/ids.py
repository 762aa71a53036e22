"""The semantic IDs of a catalogue, made of its vectors."""

import dataclasses
import os

import jax
import numpy as np

from taiji_jax import metrics
from taiji_jax.semantic_ids import collisions
from taiji_jax.semantic_ids.collisions import Repaired
from taiji_jax.semantic_ids.config import SemanticIdConfig
from taiji_jax.semantic_ids.fit import fit
from taiji_jax.semantic_ids.quantiser import Quantiser


@dataclasses.dataclass(frozen=True, eq=False)
class SemanticIds:
  """IDs, and what gives new items theirs.

  Attributes:
    code_nl: int32 in [0, K), a row an item.
    quantiser: that they come from; `new_items.identify` takes it.
    repaired: what became of shared IDs.
  """

  code_nl: np.ndarray
  quantiser: Quantiser
  repaired: Repaired

  @property
  def codes(self) -> int:
    """Returns how many codes a level has, K."""
    return self.quantiser.codes


def make(
  vector_nd: np.ndarray,
  config: SemanticIdConfig,
  *,
  mesh: jax.sharding.Mesh | None = None,
  scratch: str | os.PathLike[str] | None = None,
  writer: metrics.Writer | None = None,
) -> SemanticIds:
  """Returns the IDs of items: a quantiser is fitted, shared IDs are repaired.

  Args:
    vector_nd, mesh, scratch, writer: see `fit.fit`.
    config: of both.

  Raises:
    UserError, Interrupted: as `fit.fit`.
  """
  found = fit(vector_nd, config, mesh=mesh, scratch=scratch, writer=writer)
  repaired = _repaired(vector_nd, found.code_nl, found.quantiser, config)
  return SemanticIds(repaired.code_nl, found.quantiser, repaired)


def _repaired(
  vector_nd: np.ndarray,
  code_nl: np.ndarray,
  quantiser: Quantiser,
  config: SemanticIdConfig,
) -> Repaired:
  """Returns the IDs after the repair; only what may change is embedded."""
  codes = quantiser.codes
  rows = np.flatnonzero(collisions.beside_shared(code_nl, codes))
  rest_nd = np.zeros((len(rows), quantiser.codebook_lkd.shape[-1]))
  if len(rows) and config.collisions != 'none':
    latent_nd = quantiser.latent(vector_nd[rows])
    rest_nd = quantiser.rest(latent_nd, code_nl[rows], -1)
  part = collisions.repair(
    code_nl[rows],
    rest_nd,
    quantiser.codebook_lkd[-1],
    config.collisions,
    temperature=config.sinkhorn_temperature,
    rounds=config.sinkhorn_rounds,
  )
  new_nl, moved_n = code_nl.copy(), np.zeros(len(code_nl), bool)
  new_nl[rows], moved_n[rows] = part.code_nl, part.moved_n
  return dataclasses.replace(part, code_nl=new_nl, moved_n=moved_n)
