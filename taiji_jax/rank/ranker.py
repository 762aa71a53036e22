"""The two ID towers of one log: one rewards, the other judges."""

from collections.abc import Mapping
import pathlib
from typing import Any

import jax
import numpy as np

from taiji_jax import loop, metrics
from taiji_jax.data.config import DataConfig
from taiji_jax.data.logs import Logs
from taiji_jax.modules.weights import tree
from taiji_jax.rank import conversion_heads as heads_lib
from taiji_jax.rank import reward_table, scores, shares
from taiji_jax.rank.config import TowerConfig
from taiji_jax.rank.informative import Informative
from taiji_jax.rank.judge_tower import JudgeTower
from taiji_jax.rank.ranking import Measured
from taiji_jax.rank.reward_tower import RewardTower
from taiji_jax.rank.values import Values
from taiji_jax.types import RewardTable, Rows


class Ranker:
  """The towers that a log's arms are rewarded and judged by.

  They share no user, no seed and no loss, so that an arm that learns to please
  the reward has not thereby learned to please the judge.

  Attributes:
    reward: the reward tower, whose order gives r_id.
    judge: the judge tower, whose rates give CTCVR.
  """

  def __init__(
    self, logs: Logs, data: DataConfig, config: TowerConfig, seed: int
  ):
    """Lays out the towers by what the log holds; trains nothing yet.

    Args:
      logs: the data.
      data: how exposures are sampled and what a missed item is worth.
      config: sizes and training.
      seed: of parameters, users, exposures and their order.

    Raises:
      UserError: a tower is left without a click.
    """
    self._logs, self._data = logs, data
    self._seed = seed
    read_u = np.zeros(len(logs.log.user_ids), bool)
    read_u[logs.rl.user_r] = True
    events = shares.divide(
      logs.log,
      logs.split.train_events,
      read_u,
      judge_fraction=config.judge_fraction,
      seed=seed,
    )
    self.reward = RewardTower(
      logs, events.reward, config, history=data.history, seed=seed
    )
    self.judge = JudgeTower(
      logs,
      events.judge,
      config,
      negatives=data.negatives,
      history=data.history,
      seed=seed + 1,
    )

  def init(self) -> dict[str, Any]:
    """Returns the parameters of both before training."""
    return {'judge': self.judge.init(), 'reward': self.reward.init()}

  def fit(
    self,
    mesh: jax.sharding.Mesh,
    scratch: pathlib.Path,
    writer: metrics.Writer,
    saving: loop.Saving = loop.SAVING,
  ) -> tuple[dict[str, Any], float]:
    """Returns both towers' parameters, on the host, and the seconds it took.

    Args:
      mesh: where they are trained.
      scratch: where checkpoints go; an interrupted training goes on from there.
      writer: where metrics go.
      saving: when checkpoints are saved.

    Raises:
      UserError: there are too few clicks, or a loss became NaN or infinite.
      Interrupted: a signal came; what was done is saved.
    """
    params, seconds = {}, 0.0
    for name in ('reward', 'judge'):
      params[name], spent = getattr(self, name).fit(
        mesh, scratch / name, writer, saving
      )
      seconds += spent
    return params, seconds

  def load(self, path: pathlib.Path) -> dict[str, Any]:
    """Returns the frozen parameters out of a file."""
    return tree.load(path, jax.eval_shape(self.init))

  def table(self, params: Mapping[str, Any], rows: Rows) -> RewardTable:
    """Returns r_id of `rows` x all items.

    Args:
      params: the trained parameters.
      rows: the contexts: those that RL reads, again and again.
    """
    return reward_table.build(
      self._reward_fn(params),
      rows,
      len(self._logs.catalog),
      miss=self._data.miss,
    )

  def values(self, params: Mapping[str, Any], rows: Rows) -> Values:
    """Returns r_id and CTCVR of `rows`, of the items asked for.

    Args:
      params: the trained parameters.
      rows: the contexts.
    """
    return Values(
      rows,
      len(self._logs.catalog),
      self._reward_fn(params),
      scores.ctcvr_fn(self.judge.network, params['judge']),
      self._data.miss,
    )

  def report(self, params: Mapping[str, Any]) -> dict[str, Any]:
    """Returns AUC, GAUC, log loss and calibration of the judge."""
    return self.judge.report(params['judge'])

  def conversion_heads(self, params: Mapping[str, Any]) -> dict[str, Any]:
    """Returns how both conversion heads compare with the items' mean rates.

    See `rank.conversion_heads`; {} where the log tells no conversions.
    """
    towers = {'reward': self.reward.network, 'judge': self.judge.network}
    return heads_lib.report(towers, params, self._logs, self._data.history)

  def ranking(
    self,
    params: Mapping[str, Any],
    rows: Mapping[str, Rows],
    others: Mapping[str, Mapping[str, np.ndarray]] | None = None,
  ) -> dict[str, Any]:
    """Returns `ranking.Measured.report` of each set of rows, by its name.

    Args:
      params: the trained parameters.
      rows: name -> contexts, as 'validation'.
      others: name of the rows -> whose answer -> int `[R]`, items, -1 for none.
    """
    measured = self._measured(params)
    others = others or {}
    return {
      name: measured.report(part, others.get(name))
      for name, part in rows.items()
    }

  def informative(self, params: Mapping[str, Any], rows: Rows) -> Informative:
    """Returns whether the reward is informative; its `refuse` raises if not.

    Args:
      params: the trained parameters.
      rows: those that no stage trains on.

    Raises:
      UserError: there are no rows.
    """
    return self._measured(params).informative(rows)

  def _measured(self, params: Mapping[str, Any]) -> Measured:
    network, once = self.reward.network, self._data.consumed_once
    return Measured(
      self._logs.log,
      scores.reward_fn(network, params['reward'], once, popularity=False),
      self._reward_fn(params),
      network.counts.click_n,
      once,
      self._seed,
    )

  def _reward_fn(self, params: Mapping[str, Any]) -> scores.ScoreFn:
    return scores.reward_fn(
      self.reward.network, params['reward'], self._data.consumed_once
    )
