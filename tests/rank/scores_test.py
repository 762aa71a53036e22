from absl.testing import absltest
import jax
import numpy as np

from taiji_jax.data.exposures import Exposures
from taiji_jax.modules import id_tower
from taiji_jax.rank import scores

PROFILE_UF = np.array([[1], [0], [2]], np.int32)
CATEGORY_NL = np.array([[1], [0], [2], [1]], np.int32)
CONFIG = id_tower.IdTowerConfig(4, (3,), (3,), width=4, mlp_widths=(4,))


def trained():
  shapes = id_tower.IdTower(CONFIG).init(
    jax.random.key(0),
    PROFILE_UF,
    np.zeros((3, 2), np.int32),
    np.zeros(3, np.int32),
    CATEGORY_NL,
  )['params']
  rng = np.random.default_rng(0)
  return jax.tree.map(
    lambda x: rng.normal(size=x.shape).astype(np.float32) / 2, shapes
  )


class ScoresTest(absltest.TestCase):
  def test_catalogue_equals_product_of_exposures(self):
    params = trained()
    users = np.repeat(np.arange(3), 4)
    histories = np.array([[0, 1], [3, -1], [-1, -1]], np.int32)
    exposures = Exposures(
      user_x=users,
      history_xs=histories[users],
      item_x=np.tile(np.arange(4, dtype=np.int32), 3),
      click_x=np.zeros(12, bool),
      conversion_x=np.zeros(12, bool),
      event_x=np.zeros(12, np.int64),
    )
    # Chunks of 5: the last one is filled up.
    click_x, conversion_x = scores.exposure_probabilities(
      CONFIG, params, exposures, PROFILE_UF, CATEGORY_NL, chunk=5
    )
    score_fn = scores.make_score_fn(CONFIG, params, PROFILE_UF, CATEGORY_NL)
    ctcvr_bn = np.asarray(score_fn(np.arange(3), histories))
    np.testing.assert_allclose(
      ctcvr_bn, (click_x * conversion_x).reshape(3, 4), rtol=1e-4, atol=1e-7
    )
    self.assertTrue(((ctcvr_bn > 0) & (ctcvr_bn < 1)).all())
    self.assertTrue((ctcvr_bn < click_x.reshape(3, 4)).all())


if __name__ == '__main__':
  absltest.main()
