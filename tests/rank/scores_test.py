from unittest import mock

from absl.testing import absltest
import jax
import numpy as np

from taiji_jax.data.exposures import Exposures
from taiji_jax.modules import id_tower
from taiji_jax.rank import network as network_lib
from taiji_jax.rank import scores
from taiji_jax.rank.counts import Counts
from taiji_jax.rank.network import Network

HISTORY_US = np.array([[0, 1], [3, -1], [-1, -1]], np.int32)
CLICK_N = np.array([9, 0, 3, 1])


def make(conversion_n=(4, 0, 0, 1)):
  network = Network(
    id_tower.IdTowerConfig(4, (3,), (3,), width=4, mlp_widths=(4,)),
    np.array([[1], [0], [2]], np.int32),
    np.array([[1], [0], [2], [1]], np.int32),
    Counts(CLICK_N, np.array(conversion_n)),
  )
  shapes = jax.eval_shape(lambda: network.init(0))
  rng = np.random.default_rng(0)
  return network, jax.tree.map(
    lambda x: rng.normal(size=x.shape).astype(np.float32) / 2, shapes
  )


def probabilities(network, params):
  """(pCTR, pCVR) of every user and item, exposure by exposure."""
  users = np.repeat(np.arange(3), 4)
  exposures = Exposures(
    user_x=users,
    history_xs=HISTORY_US[users],
    item_x=np.tile(np.arange(4, dtype=np.int32), 3),
    click_x=np.zeros(12, bool),
    conversion_x=np.zeros(12, bool),
    event_x=np.zeros(12, np.int64),
  )
  # Chunks of 5: the last one is filled up.
  found = scores.exposure_probabilities(network, params, exposures, chunk=5)
  return [x.reshape(3, 4) for x in found]


class ScoresTest(absltest.TestCase):
  def test_catalogue_equals_product_of_exposures(self):
    network, params = make()
    click_un, conversion_un = probabilities(network, params)
    ctcvr_un = scores.ctcvr_fn(network, params)(np.arange(3), HISTORY_US)
    np.testing.assert_allclose(
      ctcvr_un, click_un * conversion_un, rtol=1e-4, atol=1e-7
    )

  def test_reward_is_what_popularity_does_not_explain(self):
    network, params = make()
    click_un, conversion_un = probabilities(network, params)
    logit_un = np.log(click_un / (1 - click_un))
    expected = logit_un + np.log(conversion_un) - np.log(1 + CLICK_N)
    # Nobody clicked item 1, so nothing is known of it.
    expected[:, 1] = -1e30
    users = np.arange(3)
    found = scores.reward_fn(network, params, False)(users, HISTORY_US)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    # What is consumed once is lowest: items 0 and 1, and 3.
    once = np.array(scores.reward_fn(network, params, True)(users, HISTORY_US))
    self.assertEqual(
      np.argwhere(np.isneginf(once)).tolist(), [[0, 0], [0, 1], [1, 3]]
    )
    rest = np.isfinite(once)
    np.testing.assert_array_equal(once[rest], np.asarray(found)[rest])

  def test_without_popularity_it_is_the_click_logit(self):
    network, params = make()
    click_un, _ = probabilities(network, params)
    found = scores.reward_fn(network, params, False, popularity=False)(
      np.arange(3), HISTORY_US
    )
    expected = np.log(click_un / (1 - click_un))
    expected[:, 1] = -1e30
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)

  def test_conversions_that_tell_nothing_do_not_count(self):
    network, params = make(conversion_n=CLICK_N)
    logit_un = scores.reward_fn(network, params, False, popularity=False)
    score_un = scores.reward_fn(network, params, False)
    np.testing.assert_allclose(
      score_un(np.arange(3), HISTORY_US),
      logit_un(np.arange(3), HISTORY_US) - np.log(1 + CLICK_N),
      rtol=1e-5,
      atol=1e-5,
    )

  def test_other_parameters_compile_nothing_anew(self):
    network, params = make()
    traces = []

    class Counted(id_tower.IdTower):
      def score_all(self, *args):
        traces.append(1)
        return super().score_all(*args)

    with mock.patch.object(network_lib, 'IdTower', Counted):
      for scale in (1, 2):
        other = jax.tree.map(lambda x, scale=scale: scale * x, params)
        for score_fn in (
          scores.reward_fn(network, other, True),
          scores.ctcvr_fn(network, other),
        ):
          score_fn(np.arange(3), HISTORY_US)
    self.assertLen(traces, 2)

  def test_chunks_cover_all_with_one_length(self):
    found = list(scores.chunks(10, 3, most=4))
    self.assertEqual({len(x) for x in found}, {4})
    np.testing.assert_array_equal(np.concatenate(found)[:10], np.arange(10))
    self.assertEmpty(list(scores.chunks(0, 3)))
    # A large catalogue has short chunks, one row at least.
    self.assertLen(next(scores.chunks(5, 1 << 21)), 2)
    self.assertLen(next(scores.chunks(5, 1 << 30)), 1)


if __name__ == '__main__':
  absltest.main()
