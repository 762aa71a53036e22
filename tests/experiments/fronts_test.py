"""What rules reach on problems whose fronts are known."""

import functools

from absl.testing import absltest, parameterized
import jax
import jax.numpy as jnp
import numpy as np

from experiments.benchmarks import (
  front_plots,
  front_problems,
  front_record,
  fronts,
)


@functools.cache
def problem(name: str) -> front_problems.Problem:
  return {p.name: p for p in front_problems.all_problems()}[name]


@functools.cache
def path(rule: str, name: str) -> fronts.Path:
  return fronts.descend(problem(name), fronts.RULES[rule](), 1200)


def jacobian(name: str, x: np.ndarray) -> np.ndarray:
  return np.asarray(jax.jacrev(problem(name).losses)(jnp.asarray(x)))


class ProblemsTest(parameterized.TestCase):
  @parameterized.parameters(
    'quadratics_2', 'quadratics_3', 'bandit', 'fonseca_fleming'
  )
  def test_nothing_lies_below_the_front(self, name: str):
    here = problem(name)
    size = here.starts.shape[-1]
    rng = np.random.default_rng(0)
    x_sn = rng.normal(size=(3000, size)).astype(np.float32) * 2
    loss_sk = np.asarray(jax.vmap(here.losses)(x_sn))
    # No point is better than a point of the front on every loss.
    better = (loss_sk[:, None] < here.front[::20] - 1e-5).all(-1)
    self.assertFalse(better.any())

  def test_fronts_by_hand(self):
    # At one end of each curve a loss is as small as it can be.
    np.testing.assert_allclose(
      problem('quadratics_2').front.min(0), [0, 0], atol=1e-9
    )
    # (c_1 - c_2).A_2 (c_1 - c_2) / 2 = 4 * 4 / 2 = 8 at the first's centre.
    self.assertAlmostEqual(problem('quadratics_2').front[:, 1].max(), 8.0)
    # Both coordinates sums -1.45 at the second arm, (0.75, 0.7).
    self.assertAlmostEqual(problem('bandit').front.sum(-1).min(), -1.45)
    # 1 - exp(-4) at the other's optimum.
    self.assertAlmostEqual(
      problem('fonseca_fleming').front.max(), 1 - np.exp(-4.0)
    )


class PopoTest(absltest.TestCase):
  """The algebra at K = 2, on two quadratics."""

  def test_weighs_by_gradient_norm(self):
    found = path('popo', 'quadratics_2')
    for start in range(len(found.x_stn)):
      log_ratio = 0.0
      for t in range(3):
        jacobian_kn = jacobian('quadratics_2', found.x_stn[start, t])
        square_k = (jacobian_kn**2).sum(-1)
        log_ratio += square_k[0] - square_k[1]
        weights_k = found.weights_stk[start, t]
        wanted = 1 / (1 + np.exp(-log_ratio))
        self.assertAlmostEqual(weights_k[0], wanted, delta=1e-3)

  def test_ends_at_equal_weights_where_the_average_ends(self):
    found = path('popo', 'quadratics_2')
    np.testing.assert_allclose(found.weights_stk[:, -1], 0.5, atol=5e-3)
    # On the way there it was anything but equal.
    self.assertGreater(found.weights_stk[..., 0].max(), 0.95)
    average = path('fixed', 'quadratics_2')
    np.testing.assert_allclose(
      found.x_stn[:, -1], average.x_stn[:, -1], atol=5e-3
    )


class StationaryTest(parameterized.TestCase):
  @parameterized.product(
    rule=('min_norm', 'upgrad'),
    name=('quadratics_2', 'quadratics_3', 'fonseca_fleming'),
  )
  def test_no_common_descent_is_left(self, rule: str, name: str):
    found = path(rule, name)
    rng = np.random.default_rng(0)
    for x in found.x_stn[:, -1]:
      jacobian_kn = jacobian(name, x)
      norm_k = np.linalg.norm(jacobian_kn, axis=-1, keepdims=True)
      direction_dn = rng.normal(size=(5000, len(x)))
      direction_dn /= np.linalg.norm(direction_dn, axis=-1, keepdims=True)
      # The steepest descent on the loss that falls least.
      unit_kn = jacobian_kn / np.maximum(norm_k, 1e-6)
      if norm_k.min() > 1e-3:
        self.assertLess((direction_dn @ unit_kn.T).min(-1).max(), 0.02)
    self.assertLess(fronts.descent_left(problem(name), found), 5e-3)

  def test_min_norm_stops_where_it_first_can(self):
    # Its ends differ by start, those of the average do not.
    ends = path('min_norm', 'quadratics_2').loss_stk[:, -1]
    average = path('fixed', 'quadratics_2').loss_stk[:, -1]
    self.assertGreater(np.ptp(ends[:, 0]), 1.0)
    self.assertLess(np.ptp(average[:, 0]), 1e-2)

  def test_no_loss_rises_on_the_way(self):
    def rise(rule: str) -> float:
      loss_stk = path(rule, 'quadratics_2').loss_stk
      least_stk = np.minimum.accumulate(loss_stk, axis=1)
      return float((loss_stk - least_stk).max())

    self.assertLess(rise('min_norm'), 0.05)
    self.assertLess(rise('upgrad'), 0.05)
    self.assertGreater(rise('fixed'), 0.3)

  @parameterized.parameters('quadratics_2', 'bandit', 'fonseca_fleming')
  def test_upgrad_ends_on_the_front(self, name: str):
    far = fronts.distance(problem(name), path('upgrad', name))
    self.assertLess(far, 0.03)

  def test_the_average_can_not_end_inside_a_concave_front(self):
    ends = path('fixed', 'fonseca_fleming').loss_stk[:, -1]
    inside = path('upgrad', 'fonseca_fleming').loss_stk[:, -1]
    self.assertLess(ends.min(-1).max(), 0.01)
    self.assertGreater(inside.min(-1).max(), 0.3)


class PreferenceTest(absltest.TestCase):
  def test_moves_along_the_front(self):
    here = front_problems.quadratics(2)
    reach = {}
    for rule, end_pk in fronts.trace(here, 800).items():
      with self.subTest(rule):
        # More weight on the first loss never ends at a higher one, and the
        # other pays for it.
        self.assertLess(np.diff(end_pk[:, 0]).max(), 1e-3)
        self.assertGreater(np.diff(end_pk[:, 1]).min(), -1e-3)
        far = np.linalg.norm(end_pk[:, None] - here.front, axis=-1).min(-1)
        self.assertLess(far.max(), 0.05)
        reach[rule] = np.ptp(end_pk[:, 0])
    # The projections stop at the front where they meet it; the average and
    # aligned_mtl go on along it.
    self.assertGreater(reach['fixed'], 1.5)
    self.assertGreater(reach['aligned_mtl'], 1.5)
    self.assertGreater(reach['upgrad'], 0.2)
    self.assertLess(reach['upgrad'], reach['fixed'])


class PlotsTest(absltest.TestCase):
  def test_figures(self):
    here = problem('quadratics_2')
    found = path('popo', 'quadratics_2')
    figure = front_plots.paths(here, {'popo': found.loss_stk})
    self.assertEqual(figure.axes[0].get_title(), 'popo')
    figure = front_plots.weights(found.weights_stk, 50)
    self.assertLen(figure.axes[0].lines[0].get_xdata(), 50)
    ends = {here.name: {'fixed': np.ones((3, 2))}}
    self.assertLen(front_plots.preferences([here], ends).axes, 1)

  def test_a_thinned_path_lies_where_the_path_does(self):
    for point_tk in path('popo', 'quadratics_2').loss_stk:
      few = front_record.thin(point_tk)
      self.assertLess(len(few), len(point_tk) / 5)
      np.testing.assert_array_equal(few[[0, -1]], point_tk[[0, -1]])
      # Each point against every piece of the thinned line.
      size_k = np.ptp(point_tk, axis=0)
      start, end = few[:-1] / size_k, few[1:] / size_k
      along = end - start
      gap = (point_tk / size_k)[:, None] - start
      part = (gap * along).sum(-1) / np.maximum((along**2).sum(-1), 1e-12)
      gap -= np.clip(part, 0, 1)[..., None] * along
      far = np.linalg.norm(gap, axis=-1).min(-1).max()
      self.assertLessEqual(far, front_record.TOLERANCE + 1e-6)

  def test_figures_of_the_record(self):
    found = path('popo', 'quadratics_2')
    record = front_record.of(
      {'quadratics_2': {'popo': found.loss_stk}},
      found.weights_stk,
      {'quadratics_2': {'fixed': np.ones((3, 2))}},
    )
    figures = front_record.figures(record)
    self.assertEqual(
      list(figures), ['quadratics_2', 'popo_weights', 'preferences']
    )
    self.assertEqual(figures['quadratics_2'].axes[0].get_title(), 'popo')


if __name__ == '__main__':
  absltest.main()
