"""Two losses of one network, weighed by `taiji_jax.pareto` in a plain loop.

Run: python two_losses.py   (needs jax, optax, chex, numpy and taiji_jax alone)

One shared forward; the K gradients come from one backward each (`by_vjps`), and
UPGrad combines them so that no loss rises to the first order.
"""

import jax
import jax.numpy as jnp
import optax

from taiji_jax import pareto


def forward(params, x_nd):
  """Returns two predictions of each row, `[n, 2]`."""
  return jnp.tanh(x_nd @ params['hidden']) @ params['heads']


def make_step(rule, tx, x_nd, target_nk):
  """Returns the jitted step (params, opt_state, rule_state) -> the same."""

  def losses(output_nk):
    return jnp.square(output_nk - target_nk).mean(0)  # K = 2

  @jax.jit
  def step(params, opt_state, rule_state):
    output_nk, pullback = jax.vjp(lambda p: forward(p, x_nd), params)
    loss_k, gradients_k = pareto.by_vjps(output_nk, pullback, losses)
    gradient, weights_k, rule_state, _ = pareto.objective_gradients(
      gradients_k, lambda seen: rule.update(seen, rule_state)
    )
    updates, opt_state = tx.update(gradient, opt_state, params)
    params = optax.apply_updates(params, updates)
    return params, opt_state, rule_state, loss_k, weights_k

  return step


def main():
  """Prints both losses and their weights."""
  keys = jax.random.split(jax.random.key(0), 3)
  x_nd = jax.random.normal(keys[0], (256, 8))
  # Two targets that want different things of the same inputs, in unlike units.
  target_nk = jnp.stack([jnp.sin(x_nd[:, 0]), 5 * x_nd[:, 0] * x_nd[:, 1]], 1)
  params = {
    'hidden': jax.random.normal(keys[1], (8, 16)) / 3,
    'heads': jax.random.normal(keys[2], (16, 2)) / 4,
  }
  rule, tx = pareto.upgrad(), optax.adam(1e-2)
  state = params, tx.init(params), rule.init(2)
  step = make_step(rule, tx, x_nd, target_nk)
  for i in range(1001):
    *state, loss_k, weights_k = step(*state)
    if i % 200 == 0:
      print(f'{i:5} losses {loss_k.round(4)} weights {weights_k.round(3)}')


if __name__ == '__main__':
  main()
