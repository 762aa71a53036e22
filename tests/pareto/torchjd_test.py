"""Every rule that TorchJD has, against it, on one grid of Gramians."""

import functools
from unittest import mock
import warnings

from absl.testing import absltest, parameterized
import jax
import jax.numpy as jnp
import numpy as np

from taiji_jax import pareto
from tests.pareto import reference

try:
  import torch
  from torchjd import aggregation, scalarization
except ImportError:
  torch = None

# The largest |update - TorchJD's| as a part of the longest gradient. Its own
# solvers stop at about as much: Frank-Wolfe's slow end, cvxpy's tolerances.
INDEPENDENT = {
  'min_norm': 1e-2,
  'upgrad': 1e-4,
  'dualproj': 1e-4,
  'pcgrad': 1e-5,
  'cagrad': 1e-3,
  'aligned_mtl': 1e-4,
  'imtl_g': 1e-4,
}
DEGENERATE = {
  'min_norm': 3e-2,
  'upgrad': 1e-3,
  'dualproj': 1e-3,
  'pcgrad': 1e-5,
  'aligned_mtl': 1e-4,
}


def their_weighting(rule: str):
  """Returns TorchJD's weighting, its solvers as exact as they can be set."""
  if rule in ('upgrad', 'dualproj'):
    from torchjd.linalg import QuadprogProjector

    projector = QuadprogProjector(norm_eps=0.0, reg_eps=1e-8)
    name = {'upgrad': 'UPGrad', 'dualproj': 'DualProj'}[rule] + 'Weighting'
    return getattr(aggregation, name)(projector=projector)
  if rule == 'min_norm':
    return aggregation.MGDAWeighting(epsilon=1e-6, max_iters=400)
  if rule == 'cagrad':
    return aggregation.CAGradWeighting(c=0.5, norm_eps=1e-9)
  return {
    'pcgrad': aggregation.PCGradWeighting,
    'aligned_mtl': aggregation.AlignedMTLWeighting,
    'imtl_g': aggregation.IMTLGWeighting,
  }[rule]()


def their_weights(rule: str, jacobian_kp: np.ndarray) -> np.ndarray:
  """Returns TorchJD's weights in float64; its random order made 0..K-1."""
  rows = torch.from_numpy(jacobian_kp)
  with (
    warnings.catch_warnings(),
    mock.patch.object(torch, 'randperm', torch.arange),
  ):
    warnings.simplefilter('ignore')
    if rule == 'nash_mtl':
      weighting = aggregation.NashMTL(n_tasks=len(rows), optim_niter=50)
      return np.asarray(weighting.weighting(rows))
    return np.asarray(their_weighting(rule)(rows @ rows.T))


@functools.cache
def jitted(rule: str):
  factory = getattr(pareto, rule)
  weighting = factory(seed=None) if rule == 'pcgrad' else factory()

  def first(gramian_kk: jax.Array) -> jax.Array:
    observation = pareto.Observation(gramian_kk=gramian_kk)
    return weighting.update(observation, weighting.init(len(gramian_kk)))[0]

  return jax.jit(first)


def our_weights(rule: str, jacobian_kp: np.ndarray) -> np.ndarray:
  gramian_kk = jnp.asarray(jacobian_kp @ jacobian_kp.T, jnp.float32)
  return np.asarray(jitted(rule)(gramian_kk), np.float64)


@absltest.skipIf(torch is None, 'TorchJD is not installed.')
class TorchJdTest(parameterized.TestCase):
  def check(self, rule: str, jacobian_kp: np.ndarray, tolerance: float):
    ours_p = jacobian_kp.T @ our_weights(rule, jacobian_kp)
    theirs_p = jacobian_kp.T @ their_weights(rule, jacobian_kp)
    scale = np.linalg.norm(jacobian_kp, axis=-1).max()
    scale = max(scale, np.linalg.norm(theirs_p))
    self.assertLess(np.linalg.norm(ours_p - theirs_p) / scale, tolerance)
    if rule == 'min_norm':
      # Theirs has not converged where they differ.
      longer = np.linalg.norm(ours_p) - np.linalg.norm(theirs_p)
      self.assertLess(longer / scale, 1e-4)

  @parameterized.parameters(*INDEPENDENT)
  def test_independent(self, rule: str):
    for name, jacobian_kp in reference.jacobians((2, 4, 8)):
      with self.subTest(name):
        self.check(rule, jacobian_kp, INDEPENDENT[rule])

  @parameterized.parameters(*DEGENERATE)
  def test_degenerate(self, rule: str):
    for name, jacobian_kp in reference.degenerate((3, 8)):
      if rule == 'pcgrad' and name.endswith('zero'):
        continue  # TorchJD divides by zero there.
      with self.subTest(name):
        self.check(rule, jacobian_kp, DEGENERATE[rule])

  def test_nash_mtl(self):
    compared = 0
    for name, jacobian_kp in reference.jacobians((2, 4, 8)):
      with self.subTest(name):
        ours_k = our_weights('nash_mtl', jacobian_kp)
        theirs_k = their_weights('nash_mtl', jacobian_kp)
        # Its linearised program stops early on some; what it returns is then
        # no bargain, w (G w) = 1 up to the clip of the norm.
        bargain_k = theirs_k * (jacobian_kp @ (jacobian_kp.T @ theirs_k))
        if np.ptp(bargain_k) > 1e-2 * bargain_k.mean():
          continue
        compared += 1
        ours_p, theirs_p = (
          jacobian_kp.T @ (w / np.linalg.norm(jacobian_kp.T @ w))
          for w in (ours_k, theirs_k)
        )
        self.assertLess(np.linalg.norm(ours_p - theirs_p), 1e-2)
    self.assertGreaterEqual(compared, 8)

  @parameterized.parameters('upgrad', 'dualproj', 'aligned_mtl')
  def test_preference(self, rule: str):
    jacobian_kp = dict(reference.jacobians((4,)))['4-conflict']
    wanted_k = np.array([0.6, 0.1, 0.3, 0.0])
    theirs = their_weighting(rule)
    theirs.pref_vector = torch.from_numpy(wanted_k)
    rows = torch.from_numpy(jacobian_kp)
    update = jax.jit(getattr(pareto, rule)(wanted_k).update)
    gramian_kk = jnp.asarray(jacobian_kp @ jacobian_kp.T, jnp.float32)
    ours_k, _ = update(pareto.Observation(gramian_kk=gramian_kk), ())
    np.testing.assert_allclose(ours_k, theirs(rows @ rows.T), atol=1e-3)

  def test_famo(self):
    losses = np.random.default_rng(0).uniform(0.2, 3.0, size=(6, 3))
    theirs = scalarization.FAMO(3)
    ours = pareto.famo()
    update = jax.jit(ours.update)
    state = ours.init(3)
    for step, loss_k in enumerate(losses):
      values = torch.tensor(loss_k, dtype=torch.float32, requires_grad=True)
      if step:
        theirs.update(values.detach())
      theirs(values).backward()
      weights_k, state = update(
        pareto.Observation(loss_k=jnp.asarray(loss_k, jnp.float32)), state
      )
      np.testing.assert_allclose(weights_k, values.grad, rtol=1e-4)

  def test_dwa(self):
    losses = np.random.default_rng(0).uniform(0.2, 3.0, size=(9, 3))
    for window in (1, 3):
      theirs = scalarization.DWA()
      ours = pareto.dwa(window=window)
      update = jax.jit(ours.update)
      state = ours.init(3)
      for step, loss_k in enumerate(losses):
        values = torch.tensor(loss_k, dtype=torch.float32, requires_grad=True)
        theirs(values).backward()
        if (step + 1) % window == 0:
          theirs.step()
        weights_k, state = update(
          pareto.Observation(loss_k=jnp.asarray(loss_k, jnp.float32)), state
        )
        # TorchJD's weights sum to K.
        np.testing.assert_allclose(3 * weights_k, values.grad, rtol=1e-4)


if __name__ == '__main__':
  # It compiles much and runs little.
  jax.config.update('jax_disable_most_optimizations', True)
  absltest.main()
