"""One training step of the residual-quantised autoencoder."""

from collections.abc import Callable, Mapping
import functools
from typing import Any

import chex
import jax
import jax.numpy as jnp
import optax

from taiji_jax.modules import rq_vae
from taiji_jax.modules.rq_vae import Quantised, RqVae
from taiji_jax.quantize import ema as ema_lib
from taiji_jax.quantize import kmeans, residual, revival
from taiji_jax.semantic_ids.config import SemanticIdConfig


@chex.dataclass(frozen=True)
class RqVaeState:
  """All that changes from step to step, and so all that is checkpointed.

  Attributes:
    step: int32 scalar, updates done.
    params: 'network', and 'codebook_lkd' where codebooks are parameters.
    opt_state: optax's.
    ema: `quantize.ema.Ema`; `()` where codebooks are parameters.
    use_lk: float32, how often each code was used since the last revival.
    best: 'network' and 'codebook_lkd' of the step with the fewest collisions.
    best_share: float32 scalar, the collisions of that step, 1 before the first.
    seed: uint32 scalar, the root of the randomness; the step is folded in.
  """

  step: Any
  params: Any
  opt_state: Any
  ema: Any
  use_lk: Any
  best: Any
  best_share: Any
  seed: Any


def begin(
  network: RqVae,
  config: SemanticIdConfig,
  tx: optax.GradientTransformation,
  first_bd: jax.Array,
) -> RqVaeState:
  """Returns the state before the first step, codebooks by k-means.

  The codebooks are those of RQ-KMeans on what the untrained encoder makes of
  the first batch, as MiniOneRec begins (arXiv:2510.24431).

  Args:
    network: encoder and decoder.
    config: sizes and options.
    tx: the optimiser.
    first_bd: float32, the first batch.
  """
  key, other = jax.random.split(jax.random.key(config.seed))
  shape = (config.levels, config.codes, config.code_width)
  params = network.init(key, first_bd[:1], jnp.zeros(shape))['params']
  z_bd = network.apply({'params': params}, first_bd, method='encode')
  cluster = functools.partial(
    kmeans.fit,
    codes=config.codes,
    start=config.start,
    start_rows=config.start_rows,
    iterations=config.iterations,
    tolerance=config.tolerance,
    chunk=config.chunk,
  )
  codebook_lkd = residual.fit(other, z_bd, config.levels, cluster).codebook_lkd
  best = {'network': params, 'codebook_lkd': codebook_lkd}
  trained = {'network': params} if config.ema else best
  return RqVaeState(
    step=jnp.int32(0),
    params=jax.tree.map(jnp.copy, trained),
    opt_state=tx.init(trained),
    ema=ema_lib.begin(codebook_lkd) if config.ema else (),
    use_lk=jnp.zeros(shape[:2], jnp.float32),
    best=best,
    best_share=jnp.float32(1),
    seed=jnp.uint32(config.seed),
  )


def codebooks(params: Mapping[str, Any], ema: Any) -> jax.Array:
  """Returns the codebooks of a state, float32 `[l, k, d]`.

  Args:
    params, ema: of the state.
  """
  return (
    params['codebook_lkd']
    if 'codebook_lkd' in params
    else ema_lib.codebooks(ema)
  )


def collision_share(code_nl: jax.Array) -> jax.Array:
  """Returns 1 - (different IDs) / (items), float32 in [0, 1).

  Args:
    code_nl: int32.
  """
  sorted_nl = code_nl[jnp.lexsort(tuple(code_nl.T))]
  new_n = jnp.any(sorted_nl[1:] != sorted_nl[:-1], -1)
  return 1 - (1 + new_n.sum()) / jnp.float32(code_nl.shape[0])


def rq_vae_step(
  network: RqVae,
  config: SemanticIdConfig,
  tx: optax.GradientTransformation,
  check_rows: int,
) -> Callable[..., tuple[RqVaeState, dict[str, jax.Array]]]:
  """Returns `step(state, batch, check_nd) -> (state, metrics)`, pure.

  `batch` has 'vector_bd'; `check_nd` are the vectors among which collisions are
  counted, padded at the end. A step whose loss is not finite changes nothing.

  Args:
    network: encoder and decoder.
    config: weights of the losses, and when codes are revived and collisions
      counted.
    tx: the optimiser.
    check_rows: rows of `check_nd` without the padding.
  """
  first = config.check_from * config.steps

  def loss_of(params: Any, ema: Any, x_bd: jax.Array) -> tuple:
    decoded_bd, quantised = network.apply(
      {'params': params['network']}, x_bd, codebooks(params, ema)
    )
    loss, parts = rq_vae.loss(
      x_bd, decoded_bd, quantised, config.beta, ema=config.ema
    )
    return loss, (parts, quantised)

  def checked(state: RqVaeState, check_nd: jax.Array) -> RqVaeState:
    now = {
      'network': state.params['network'],
      'codebook_lkd': codebooks(state.params, state.ema),
    }
    z_nd = network.apply(
      {'params': now['network']}, check_nd[:check_rows], method='encode'
    )
    code_nl = residual.encode(z_nd, now['codebook_lkd'], chunk=check_rows)
    share = collision_share(code_nl)
    better = share <= state.best_share
    best = jax.tree.map(lambda a, b: jnp.where(better, a, b), now, state.best)
    return state.replace(
      best=best, best_share=jnp.minimum(share, state.best_share)
    )

  def step(
    state: RqVaeState, batch: Mapping[str, jax.Array], check_nd: jax.Array
  ) -> tuple[RqVaeState, dict[str, jax.Array]]:
    (loss, (parts, quantised)), gradient = jax.value_and_grad(
      loss_of, has_aux=True
    )(state.params, state.ema, batch['vector_bd'])
    norm = optax.tree.norm(gradient)
    finite = jnp.isfinite(loss) & jnp.isfinite(norm)
    new = _updated(state, tx, gradient, quantised, config.ema_decay)
    used = jnp.mean(new.use_lk > 0)
    due = new.step % config.check_every == 0
    due = (due & (new.step >= first)) | (new.step == config.steps)
    new = jax.lax.cond(due, checked, lambda s, _: s, new, check_nd)
    if config.revive_every:
      due = new.step % config.revive_every == 0
      new = jax.lax.cond(due, _revived, lambda s, _: s, new, quantised.rest_bld)
    new = jax.tree.map(lambda a, b: jnp.where(finite, a, b), new, state)
    metrics = {
      'loss': loss,
      'gradient_norm': norm,
      'codes_used': used,
      'best_collisions': new.best_share,
      **parts,
    }
    return new, metrics

  return step


def _updated(
  state: RqVaeState,
  tx: optax.GradientTransformation,
  gradient: Any,
  quantised: Quantised,
  decay: float,
) -> RqVaeState:
  """Returns the state after the gradient and the moving means."""
  updates, opt_state = tx.update(gradient, state.opt_state, state.params)
  codes = state.use_lk.shape[1]
  use_lk = state.use_lk + jax.nn.one_hot(quantised.code_bl, codes).sum(0)
  ema = state.ema
  if isinstance(ema, ema_lib.Ema):
    ema = ema_lib.update(ema, quantised.code_bl, quantised.rest_bld, decay)
  return state.replace(
    step=state.step + 1,
    params=optax.apply_updates(state.params, updates),
    opt_state=opt_state,
    ema=ema,
    use_lk=use_lk,
  )


def _revived(state: RqVaeState, rest_bld: jax.Array) -> RqVaeState:
  """Returns the state with unused codes put on rows of the batch."""
  key = jax.random.fold_in(jax.random.key(state.seed), state.step)
  codebook_lkd = codebooks(state.params, state.ema)
  new_lkd, dead_lk = jax.vmap(revival.at_random)(
    jax.random.split(key, len(codebook_lkd)),
    codebook_lkd,
    state.use_lk,
    jnp.swapaxes(rest_bld, 0, 1),
  )
  use_lk = jnp.zeros_like(state.use_lk)
  if isinstance(state.ema, ema_lib.Ema):
    ema = ema_lib.replaced(state.ema, new_lkd, dead_lk)
    return state.replace(ema=ema, use_lk=use_lk)
  params = {**state.params, 'codebook_lkd': new_lkd}
  return state.replace(params=params, use_lk=use_lk)
