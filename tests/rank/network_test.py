from absl.testing import absltest
import jax
import numpy as np

from taiji_jax.data import splits
from taiji_jax.data.logs import Logs
from taiji_jax.modules.id_tower import HEADS
from taiji_jax.rank.config import TowerConfig
from taiji_jax.rank.network import Network
from taiji_jax.types import Catalog, Log


def make(categories):
  log = Log(
    ('0', '1', '2'),
    ({'age': '3'}, {'age': '4'}, {}),
    np.array([0, 0, 1, 1, 2, 2], np.int32),
    np.array([0, 1, 0, 1, 0, 2], np.int32),
    np.arange(6),
    np.ones(6, bool),
    np.array([1, 0, 1, 0, 0, 0], bool),
  )
  catalog = Catalog(tuple('abc'), tuple('ABC'), categories)
  split = splits.by_time(log, train_fraction=0.7, rl_fraction=0.5)
  return Logs(log, catalog, split, split.train, split.rl, '')


class NetworkTest(absltest.TestCase):
  def test_conversions_begin_at_the_items_mean(self):
    events = np.arange(6) < 5
    network = Network.of(make((('a',), ('b',), ())), events, TowerConfig())
    bias_nk = network.init(0)['item_bias']
    rate_n = jax.nn.sigmoid(bias_nk[:, HEADS.index('conversion')])
    # All together (2 + 1/2) / (5 + 1); item 0 converted 2 of 3, 1 none of 2.
    mean = 2.5 / 6
    expected = [(2 + 5 * mean) / 8, 5 * mean / 7, mean]
    np.testing.assert_allclose(rate_n, expected, rtol=1e-5)
    np.testing.assert_array_equal(bias_nk[:, HEADS.index('click')], [0] * 3)

  def test_no_categories_and_an_unknown_user(self):
    network = Network.of(make(((), (), ())), np.ones(6, bool), TowerConfig())
    self.assertEqual(network.config.category_cardinalities, (1, 1, 1))
    click_bn, conversion_bn = network.tower.apply(
      {'params': network.init(0)},
      network.profile_uf[[-1]],
      np.full((1, 2), -1, np.int32),
      network.category_nl,
      method='score_all',
    )
    self.assertTrue(np.isfinite([click_bn, conversion_bn]).all())


if __name__ == '__main__':
  absltest.main()
