"""An ID tower laid out by what its users' events hold."""

import dataclasses
from typing import Any

import jax
import numpy as np

from taiji_jax.data.logs import Logs
from taiji_jax.modules.id_tower import HEADS, IdTower, IdTowerConfig
from taiji_jax.rank import features
from taiji_jax.rank.config import TowerConfig
from taiji_jax.rank.counts import Counts


@dataclasses.dataclass(frozen=True, eq=False)
class Network:
  """A tower's sizes, the codes it reads, and what its items' biases begin with.

  Networks are equal where they are one object: arrays have no cheap equality.

  Attributes:
    config: the sizes.
    profile_uf: int32, the profile codes of every user; in its last row, all
      unknown, those of user -1, whom the log does not have.
    category_nl: int32, the category codes of every item.
    counts: of the events that the tower learns from.
  """

  config: IdTowerConfig
  profile_uf: np.ndarray
  category_nl: np.ndarray
  counts: Counts

  @classmethod
  def of(cls, logs: Logs, events: np.ndarray, config: TowerConfig) -> 'Network':
    """Returns the network of a tower that learns from some events.

    Args:
      logs: the data.
      events: bool `[E]`, which of them.
      config: sizes.
    """
    vocabulary = features.ProfileVocabulary.fit(
      logs.log.profiles, logs.log.user_e[events]
    )
    category_nl, cardinalities = features.category_codes(logs.catalog)
    return cls(
      IdTowerConfig(
        num_items=len(logs.catalog),
        profile_cardinalities=vocabulary.cardinalities,
        category_cardinalities=cardinalities,
        width=config.width,
        mlp_widths=config.mlp_widths,
        half_life=config.half_life,
      ),
      vocabulary.encode([*logs.log.profiles, {}]),
      category_nl,
      Counts.of(logs.log, events, len(logs.catalog)),
    )

  @property
  def tower(self) -> IdTower:
    """Returns the module."""
    return IdTower(self.config)

  def init(self, seed: int) -> Any:
    """Returns parameters before training.

    An item's bias of the conversion head begins with the log-odds of its
    smoothed conversion rate: what a mean of the item knows need not be
    learned by steps.

    Args:
      seed: of the random ones.
    """
    params = self.tower.init(
      jax.random.key(seed),
      self.profile_uf[:1],
      np.zeros((1, 1), np.int32),
      np.zeros(1, np.int32),
      self.category_nl,
    )['params']
    rate_n = self.counts.conversion_rate_n
    log_odds_n = np.log(rate_n / (1 - rate_n)).astype(np.float32)
    head = HEADS.index('conversion')
    bias_nk = params['item_bias'].at[:, head].set(log_odds_n)
    return {**params, 'item_bias': bias_nk}
