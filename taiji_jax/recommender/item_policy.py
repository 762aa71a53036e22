"""A generator of semantic IDs as a policy to reinforce."""

from collections.abc import Callable
import math
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np

from taiji_jax import sharding
from taiji_jax.decode.rollouts import RolloutBatch
from taiji_jax.decode.sample import Completions
from taiji_jax.decode.sampled import SampledItems
from taiji_jax.decode.trie import Trie
from taiji_jax.errors import UserError
from taiji_jax.recommender import asked
from taiji_jax.recommender.generator import Generator

BEAMS, SAMPLES = 'beams', 'samples'
ROLLOUTS = (BEAMS, SAMPLES)


@chex.dataclass(frozen=True)
class CodeCompletions(Completions):
  """Semantic IDs that were sampled.

  Attributes:
    leaf_n: int32, number of each ID in the trie, -1 where there is none.
  """

  leaf_n: jax.Array


class ItemPrompts:
  """Histories of items, as `rl.Trainer` reads prompts.

  Attributes:
    history_rs: int32 `[R, S]`, oldest first, padded on the right.
    length_r: int32, items of each, at least 1.
  """

  def __init__(
    self,
    history_rs: np.ndarray,
    length_r: np.ndarray,
    items: int | None = None,
  ):
    """Takes the histories.

    Args:
      history_rs, length_r: see the attributes.
      items: N, how many items the model knows; where None, a policy that is
        asked refuses what is too large.

    Raises:
      UserError: they are not of as many rows, a history is empty or longer than
        there are places, or it has an item that the model does not know.
    """
    self.history_rs, self.length_r = asked.histories(
      history_rs, length_r, items
    )

  def __len__(self) -> int:
    """Returns how many there are."""
    return len(self.length_r)

  def batch(self, index_b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns (histories, lengths) of some rows.

    Args:
      index_b: int, which.
    """
    return self.history_rs[index_b], self.length_r[index_b]


class ItemPolicy:
  """What `rl.Trainer` asks of a policy, of a `Generator`.

  A prompt is a history, a completion the L codes of an item. Probabilities are
  the generator's: normalised over the codes that lead to an item, the same in
  decoding and in training.

  Attributes:
    generator: the model.
    mesh, rollout_mesh: where it lies.
    temperature: of the rollouts.
    completion: L.
    share_prompt: False; a history is read once for its group in any case.
    frozen: None; all parameters are trained.
    rollout_vjp: None: there is no form 'one_backward'.
  """

  share_prompt = False
  frozen = None
  rollout_vjp = None

  def __init__(
    self,
    generator: Generator,
    rollouts: str = BEAMS,
    temperature: float = 1.0,
  ):
    """Makes the functions.

    Args:
      generator: the model.
      rollouts: 'beams', the group's likeliest IDs, all different, in that order
        (MiniOneRec, arXiv:2510.24431), or 'samples', drawn with replacement;
        their rank is that of their log-probability in the group.
      temperature: of samples; beams have 1.

    Raises:
      UserError: an unknown kind, a temperature that is none, beams with another
        than 1, or samples of a generator whose probabilities are not those
        that it draws by.
    """
    if rollouts not in ROLLOUTS:
      raise UserError(
        f'rollouts is {rollouts!r}; choose one of {", ".join(ROLLOUTS)}.'
      )
    if rollouts == SAMPLES and generator.normalize != 'children':
      raise UserError(
        f"rollouts is 'samples', and the generator's normalize is"
        f' {generator.normalize!r}: it draws among the codes that lead to an'
        " item, whose probabilities are others; take 'beams', or a generator"
        " with normalize='children'."
      )
    self.generator, self.rollouts = generator, rollouts
    self._check_temperature(temperature)
    self.mesh = self.rollout_mesh = generator.mesh
    self.temperature = temperature
    self.completion = generator.trie.levels
    self._samplers: dict[tuple[float, int], Callable] = {}

  def _check_temperature(self, temperature: float) -> None:
    """Raises UserError where rollouts can't have it."""
    if not 0 < temperature < math.inf:
      raise UserError(
        f'the temperature is {temperature}; give a number above 0.'
      )
    if self.rollouts == BEAMS and temperature != 1:
      raise UserError(
        f"the temperature is {temperature}; rollouts 'beams' are not drawn, so"
        " set it to 1, or take 'samples'."
      )

  def init_trained(self) -> Any:
    """Returns parameters drawn at random."""
    return self.generator.init(0)

  def for_rollouts(self, params: Any) -> Any:
    """Returns the parameters as they are."""
    return params

  def gramian(self, gradients_k: Any) -> jax.Array:
    """Returns the Gramian of K gradients that lie on the mesh."""
    return sharding.gramian(gradients_k, self.mesh)

  def rollout_logp(
    self, params: Any, batch: RolloutBatch, coef_kn: jax.Array | None = None
  ) -> jax.Array:
    """Returns log-probabilities `[b, g, L]` at the rollouts' temperature.

    0 where nothing was sampled.

    Args:
      params: of the generator.
      batch: the rollouts.
      coef_kn: None; for the form 'one_backward', which there is not.
    """
    del coef_kn
    there_bg1 = batch.length_bg[..., None] > 0
    logp_bgl = self.generator.logp(
      params,
      _histories(batch.prompt_bp, batch.prompt_length_b),
      batch.completion_bgc,
      temperature=self.temperature,
    )
    return jnp.where(there_bg1, logp_bgl, 0.0)

  def sampler(self, temperature: float) -> Callable[..., CodeCompletions]:
    """Returns (params, histories, lengths, seeds) -> `CodeCompletions`.

    So many a history as there are seeds; beams do not depend on them.

    Args:
      temperature: of samples; beams have 1.

    Raises:
      UserError: another temperature; and, when it is called, histories with
        items that the generator does not know.
    """
    self._check_temperature(temperature)
    find = self._beams if self.rollouts == BEAMS else self._samples

    def completions(params, history_bs, length_b, seed_n) -> CodeCompletions:
      self._check_histories(history_bs, length_b)
      b = len(length_b)
      group = len(seed_n) // b
      key = (temperature, group)
      if key not in self._samplers:
        self._samplers[key] = jax.jit(
          sharding.on(lambda *args: find(*args, group, temperature), self.mesh)
        )
      return self._samplers[key](
        params, self.generator.placed, history_bs, length_b, seed_n
      )

    return completions

  def _check_histories(self, history_bs: Any, length_b: Any) -> None:
    """Raises UserError where the generator does not know an item."""
    # Of several hosts each knows its own rows alone.
    if getattr(history_bs, 'is_fully_addressable', True):
      asked.histories(history_bs, length_b, self.generator.items)

  def _beams(
    self,
    params,
    trie: Trie,
    history_bs,
    length_b,
    seed_n,
    group: int,
    temperature: float,
  ) -> CodeCompletions:
    del seed_n, temperature
    batch = _histories(history_bs, length_b)
    found = self.generator.sequences(params, batch, group, trie)
    # Of each code, as training says it: a beam has the sum alone.
    logp_bgl = self.generator.logp(params, batch, found.code_bml, trie=trie)
    return _flat(found.leaf_bm, found.code_bml, logp_bgl, found.there_bm)

  def _samples(
    self,
    params,
    trie: Trie,
    history_bs,
    length_b,
    seed_n,
    group: int,
    temperature: float,
  ) -> CodeCompletions:
    seed_bg = seed_n.reshape(len(length_b), group)
    batch = _histories(history_bs, length_b)
    found = self.generator.draw(params, batch, seed_bg, temperature, trie)
    return _flat(found.leaf_bg, found.code_bgl, found.logp_bgl, found.there_bg)

  def sampled(self, completions: CodeCompletions, group: int) -> SampledItems:
    """Returns what rewards are handed.

    Args:
      completions: those of a history next to each other.
      group: completions a history.
    """
    trie = self.generator.trie
    leaf_n = np.asarray(completions.leaf_n)
    first_n = np.asarray(trie.slot[-1])[np.maximum(leaf_n, 0)]
    item_n = np.asarray(trie.item_s)[first_n].astype(np.int32)
    there_n = leaf_n >= 0
    logp_n = np.asarray(completions.logp_nc).sum(-1)
    token_nc = np.asarray(completions.token_nc)
    n = np.arange(len(leaf_n))
    rank_n = n % group
    if self.rollouts == SAMPLES:
      # Ties go by place; an empty one is behind all others.
      score_bg = np.where(there_n, -logp_n, np.inf).reshape(-1, group)
      order_bg = np.argsort(score_bg, axis=1, kind='stable')
      rank_n = np.argsort(order_bg, axis=1, kind='stable').ravel()
    return SampledItems(
      texts=[
        ' '.join(map(str, codes)) if there else ''
        for codes, there in zip(token_nc.tolist(), there_n, strict=True)
      ],
      group_n=n // group,
      rank_n=rank_n,
      item_n=np.where(there_n, item_n, -1),
      leaf_n=leaf_n,
      logp_n=logp_n,
    )


def _histories(history_bs: jax.Array, length_b: jax.Array) -> dict:
  return {'history_bs': history_bs, 'length_b': length_b}


def _flat(leaf_bg, code_bgl, logp_bgl, there_bg) -> CodeCompletions:
  """Returns the completions of all rows, one behind the other."""
  levels = code_bgl.shape[-1]
  there_n = there_bg.reshape(-1)
  return CodeCompletions(
    token_nc=jnp.where(there_bg[..., None], code_bgl, 0).reshape(-1, levels),
    length_n=jnp.where(there_n, levels, 0).astype(jnp.int32),
    logp_nc=jnp.where(there_bg[..., None], logp_bgl, 0.0).reshape(-1, levels),
    ended_n=there_n,
    leaf_n=jnp.where(there_n, leaf_bg.reshape(-1), -1).astype(jnp.int32),
  )
