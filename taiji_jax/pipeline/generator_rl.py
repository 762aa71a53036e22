"""Reinforced arms of the generator's table: business and semantic rewards."""

import dataclasses
import functools
import pathlib
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from taiji_jax import metrics
from taiji_jax.config import deviations
from taiji_jax.data.next_items import NextItems
from taiji_jax.decode.sampled import SampledItems
from taiji_jax.decode.trie import Trie
from taiji_jax.errors import UserError
from taiji_jax.evaluate import accuracy
from taiji_jax.judge import CosineJudge, Judge, RandomJudge
from taiji_jax.modules.weights import tree
from taiji_jax.pipeline import generator_data
from taiji_jax.pipeline.generator_rl_config import ReinforcedConfig
from taiji_jax.pipeline.revisions import REVISIONS
from taiji_jax.products import Product
from taiji_jax.recommender import ItemPolicy, ItemPrompts
from taiji_jax.rl import Rewarded, Trainer, advantage, catalog_rewards
from taiji_jax.rl.catalog_rewards import CatalogRewards, Column

if TYPE_CHECKING:
  from taiji_jax.pipeline.generator import GeneratorRun

FILE = 'params.safetensors'
SEMANTIC = 'semantic'
_TOP = 10
SEMANTIC_TOP, NOVELTY_TOP, DISTINCT_TOP = OF_LISTS = tuple(
  f'{name}@{_TOP}' for name in ('semantic', 'novelty', 'distinct')
)


class Reinforcement:
  """What the reinforced arms of a run share: prompts, rewards, judges.

  Attributes:
    rows: the training rows that are prompts.
    judged_r: float in [0, 1) of each; those below the share are judged, so that
      a smaller share is part of a larger one.
  """

  def __init__(self, run: 'GeneratorRun'):
    """Draws the rows; nothing else is made before it is asked for.

    Args:
      run: whose recipe has a section `rl`.

    Raises:
      UserError: it has none.
    """
    if run.recipe.rl is None:
      raise UserError(
        'the recipe has no section `rl`, which reinforced arms need; give one.'
      )
    self._run = run
    self.rows = rl_rows(run.shared.data.train, run.recipe.rl, run.recipe.seed)
    rng = np.random.default_rng((run.recipe.seed, 1))
    self.judged_r = rng.random(len(self.rows))

  def config(self, name: str) -> ReinforcedConfig:
    """Returns the recipe's section as an arm changes it.

    Args:
      name: of the arm.
    """
    arm = self._run.plan.get(name)
    return dataclasses.replace(self._run.recipe.rl, **arm.rl)

  def judge(self, name: str, rows: NextItems) -> Judge:
    """Returns a judge of items in some rows.

    Args:
      name: one of `generator_rl_config.JUDGES`.
      rows: what its rows are.
    """
    recipe, shared = self._run.recipe, self._run.shared
    if name == 'random':
      return RandomJudge(recipe.seed)
    text_nd = shared.text_nd(recipe.generator.text_width)
    if text_nd is None:
      raise UserError(
        "the judge 'cosine' reads texts, and generator.text_width is 0; give a"
        ' width.'
      )
    return CosineJudge(text_nd, rows.recent_bs(recipe.data.history))

  def rewards(self, config: ReinforcedConfig, ids: str) -> 'Seen':
    """Returns what rollouts earn.

    Args:
      config: of the arm.
      ids: the semantic IDs that its generator says.
    """
    target_r = self.rows.target_b
    hit = catalog_rewards.hits(leaves(self._run.trie(ids)), target_r)
    parts = {
      'rule_and_rank': catalog_rewards.rule_and_rank(hit),
      'prefix': catalog_rewards.prefix(self._run.codes(ids), target_r),
      'collaborative': catalog_rewards.scored(self._collaborative),
    }
    weights = dataclasses.asdict(config.business)
    columns: dict[str, Column] = {
      'business': catalog_rewards.sum_of(weights, parts)
    }
    if config.asks:
      judge = self.judge(config.judge, self.rows)
      columns[SEMANTIC] = catalog_rewards.judged(
        catalog_rewards.scored(judge.scores), self.judged_r < config.judged
      )
    return Seen(CatalogRewards(columns, hit), config.group)

  def _collaborative(self, row_n: np.ndarray, item_n: np.ndarray) -> np.ndarray:
    """Returns log p(item | row) - log p(item), in nats."""
    return self._lift_rn[row_n, item_n]

  @functools.cached_property
  def _lift_rn(self) -> np.ndarray:
    shared = self._run.shared
    p_rn = shared.folds.scores(self.rows)
    # Of one taken item more than there were, so that none has 0.
    own_n = (shared.frequency_n + 1) / (shared.frequency_n + 1).sum()
    return np.log(p_rn) - np.log(own_n).astype(np.float32)


class Seen:
  """Rewards, and what A2PO would make of them.

  Attributes:
    names: of the rewards.
  """

  def __init__(self, rewards: CatalogRewards, group: int):
    """Takes the rewards.

    Args:
      rewards: of sampled items.
      group: G.
    """
    self._rewards, self._group = rewards, group
    self.names = rewards.names

  def __call__(self, sampled: SampledItems, row_n: np.ndarray) -> Rewarded:
    """Returns what each item earns, with metrics of both advantages.

    Args:
      sampled, row_n: see `CatalogRewards`.
    """
    found = self._rewards(sampled, row_n)
    if SEMANTIC not in self.names:
      return found
    shape = (-1, self._group, len(self.names))
    reward_bgk = found.reward_nk.reshape(shape)
    known_bgk = found.known_nk.reshape(shape)
    seen = {k: float(v) for k, v in _agreement(reward_bgk, known_bgk).items()}
    seen['judge_calls'] = float(known_bgk[..., 1].sum())
    return dataclasses.replace(found, seen=found.seen | seen)


@jax.jit
def _agreement(
  reward_bgk: jax.Array, known_bgk: jax.Array
) -> dict[str, jax.Array]:
  """Returns means over rollouts with both advantages, 0 where there is none."""
  each_bgk = advantage.each_normalized(reward_bgk, known_bgk)
  own_bg, other_bg = each_bgk[..., 0], each_bgk[..., 1]
  both_bg = (own_bg != 0) & (other_bg != 0)
  count = jnp.maximum(both_bg.sum(), 1)
  same_bg = both_bg & (jnp.sign(own_bg) == jnp.sign(other_bg))
  lambda_bg = advantage.a2po_lambda(own_bg, other_bg)
  return {
    'both_share': both_bg.mean(dtype=jnp.float32),
    'sign_agreement': same_bg.sum() / count,
    'lambda': jnp.where(both_bg, lambda_bg, 0.0).sum() / count,
  }


def rl_rows(train: NextItems, config: ReinforcedConfig, seed: int) -> NextItems:
  """Returns the training rows that are prompts, of the users of RL alone.

  Args:
    train: all of them.
    config: says how many.
    seed: of the draw.

  Raises:
    UserError: there are fewer.
  """
  own = np.flatnonzero(~of_judge(train, seed))
  if config.rows > len(own):
    raise UserError(
      f'rl.rows is {config.rows}, and the users of RL have {len(own)} training'
      ' rows; give at most that, or 0 for all.'
    )
  if config.rows:
    rng = np.random.default_rng((seed, 0))
    own = np.sort(rng.choice(own, config.rows, replace=False))
  return train.take(own)


def of_judge(rows: NextItems, seed: int) -> np.ndarray:
  """Returns which rows are of users that a judge may learn from, bool `[R]`.

  Half of the users; the other half is for RL: what a judge knows of a user's
  later purchases would tell RL its answers.

  Args:
    rows: of any users.
    seed: of the halves.
  """
  users = sorted(set(rows.user))
  rng = np.random.default_rng((seed, 2))
  half = set(rng.permutation(len(users))[: len(users) // 2].tolist())
  chosen = {user for n, user in enumerate(users) if n in half}
  return np.array([user in chosen for user in rows.user], bool)


def leaves(trie: Trie) -> np.ndarray:
  """Returns the leaf of each item, int32, -1 for none; shared with an ID.

  As many as the trie has room for, N at least.

  Args:
    trie: of the catalogue.
  """
  slot_n = np.asarray(trie.slot_n)
  leaf_n = np.searchsorted(np.asarray(trie.slot[-1]), slot_n, 'right') - 1
  return np.where(slot_n < 0, -1, leaf_n).astype(np.int32)


def of_lists(
  run: 'GeneratorRun', part: str, item_rk: np.ndarray
) -> dict[str, np.ndarray]:
  """Returns what is said of the best items of each row, float32 `[R]` each.

  'semantic@10': their mean score by the recipe's judge; 'novelty@10': the mean
  of -log2 of the share of training rows that take them, in bits (counts one
  larger, so that none is infinite); 'distinct@10': see
  `accuracy.distinct_items`, how many different items all lists hold.

  Args:
    run: whose rows they are.
    part: which.
    item_rk: int32, -1 for none; ten at least.
  """
  rows, shared = run.rows(part), run.shared
  item_rk = item_rk[:, :_TOP]
  there_rk = item_rk >= 0
  row_rk = np.broadcast_to(np.arange(len(item_rk))[:, None], item_rk.shape)
  judge = run.reinforcement.judge(run.recipe.rl.judge, rows)
  flat_n, safe_n = row_rk.ravel(), np.maximum(item_rk, 0).ravel()
  score_rk = judge.scores(flat_n, safe_n).reshape(item_rk.shape)
  known_rk = there_rk & ~np.ma.getmaskarray(score_rk)
  taken_n = shared.frequency_n + 1
  bits_n = -np.log2(taken_n / taken_n.sum())
  user_r = np.unique(rows.user, return_inverse=True)[1].ravel()
  distinct_n = accuracy.distinct_items(item_rk.ravel(), user_r[flat_n])
  found = {
    SEMANTIC_TOP: _mean(np.ma.filled(score_rk, 0.0), known_rk),
    NOVELTY_TOP: _mean(bits_n[np.maximum(item_rk, 0)], there_rk),
    DISTINCT_TOP: distinct_n.reshape(item_rk.shape).mean(1),
  }
  return {name: value_r.astype(np.float32) for name, value_r in found.items()}


def _mean(value_rk: np.ndarray, known_rk: np.ndarray) -> np.ndarray:
  sum_r = np.where(known_rk, value_rk, 0.0).sum(1)
  return sum_r / np.maximum(known_rk.sum(1), 1)


def make(run: 'GeneratorRun', name: str, seed: int) -> tuple[Any, Product]:
  """Returns (parameters on the mesh, the product that holds them).

  Every seed begins at the base's model of the recipe's seed.

  Args:
    run: the run.
    name: of a reinforced arm.
    seed: of the rollouts and of the order of the prompts.
  """
  arm, shared = run.plan.get(name), run.reinforcement
  base = run.plan.get(arm.base)
  config = shared.config(name)
  recommender = run.recommender(base)
  # Refused before anything is trained.
  policy = ItemPolicy(recommender, config.rollouts, config.temperature)
  start, product = run.model(arm.base, run.recipe.seed)

  def build(part: pathlib.Path, scratch: pathlib.Path) -> float:
    history = generator_data.histories(shared.rows, run.recipe.data.history)
    trainer = Trainer(
      policy,
      ItemPrompts(*history),
      shared.rewards(config, base.ids),
      config,
      writer=metrics.Writer(run.workdir),
      seed=seed,
      saving=run.recipe.saving,
      advantage=config.make_advantage(),
      weighting=config.make_rule(),
    )
    params, seconds = trainer.run(start, scratch, f'{name}_{seed}')
    tree.save(part / FILE, params)
    return seconds

  inputs = {
    'start': product.key,
    'rl': deviations(config),
    'seed': seed,
    'of all': run.recipe.seed,
  }
  made = run.products.make(
    f'model_{name}_{seed}', inputs, build, revision=REVISIONS['generator_rl']
  )
  like = jax.eval_shape(lambda: recommender.init(0))
  return tree.load(made.folder / FILE, like), made
