import dataclasses

from absl.testing import absltest, parameterized
import jax
import jax.numpy as jnp
import numpy as np

from taiji_jax.errors import UserError
from taiji_jax.modules import id_tower

CATEGORY_NL = np.array([[1, 1], [1, 2], [2, 0], [0, 0], [2, 3]], np.int32)
PROFILE_BF = np.array([[0, 1], [2, 0], [1, 3]], np.int32)
HISTORY_BS = np.array([[0, 3, 1], [2, -1, -1], [-1, -1, -1]], np.int32)
CONFIG = id_tower.IdTowerConfig(
  num_items=5,
  profile_cardinalities=(3, 4),
  category_cardinalities=(3, 4),
  width=4,
  conversion_width=2,
  mlp_widths=(6,),
  half_life=2.0,
)


def make(config=CONFIG, seed=0):
  tower = id_tower.IdTower(config)
  params = tower.init(
    jax.random.key(seed),
    PROFILE_BF,
    HISTORY_BS,
    np.zeros(3, np.int32),
    CATEGORY_NL,
  )['params']
  # Every parameter away from its initial zero or tiny value.
  leaves, tree = jax.tree.flatten(params)
  rng = np.random.default_rng(seed)
  leaves = [rng.normal(size=x.shape).astype(np.float32) / 2 for x in leaves]
  return tower, jax.tree.unflatten(tree, leaves)


def reference(params, profile_f, history, item):
  """One user, one item, in plain loops."""
  p = jax.tree.map(np.asarray, params)

  def vector(n):
    x = p['item_embedding'][n].astype(np.float64)
    for level, code in enumerate(CATEGORY_NL[n]):
      x = x + p[f'category_embedding_{level}'][code]
    return x

  def side(name, x):
    def dense(layer, x):
      return x @ p[f'{name}_{layer}']['kernel'] + p[f'{name}_{layer}']['bias']

    x = np.maximum(dense('mlp_0', x), 0)
    vectors = dense('click_head', x), dense('conversion_head', x)
    return vectors, dense('bias_head', x)

  past = [vector(n) for n in history if n >= 0]
  mean = recent = np.zeros(4)
  if past:
    mean = sum(past) / len(past)
    weights = [2 ** (-i / 2.0) for i in range(len(past))]
    recent = sum(w * x for w, x in zip(weights, past, strict=True))
    recent = recent / sum(weights)
  fields = [p[f'profile_embedding_{i}'][c] for i, c in enumerate(profile_f)]
  user, user_bias = side(
    'user', np.concatenate([mean, recent, [np.log(1 + len(past))], *fields])
  )
  other, item_bias = side('item', vector(item))
  dots = [u @ o for u, o in zip(user, other, strict=True)]
  logits = dots + user_bias + item_bias
  return logits + p['item_bias'][item]


class IdTowerTest(parameterized.TestCase):
  def test_equals_plain_loops(self):
    tower, params = make()
    all_items = tower.apply(
      {'params': params},
      PROFILE_BF,
      HISTORY_BS,
      CATEGORY_NL,
      method='score_all',
    )
    for user in range(3):
      for item in range(5):
        expected = reference(params, PROFILE_BF[user], HISTORY_BS[user], item)
        actual = [logit_bn[user, item] for logit_bn in all_items]
        np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-5)

  def test_pairs_equal_all_items(self):
    tower, params = make()
    item_b = np.array([4, 0, 2], np.int32)
    pairs = tower.apply(
      {'params': params}, PROFILE_BF, HISTORY_BS, item_b, CATEGORY_NL
    )
    everything = tower.apply(
      {'params': params},
      PROFILE_BF,
      HISTORY_BS,
      CATEGORY_NL,
      method='score_all',
    )
    for pair_b, all_bn in zip(pairs, everything, strict=True):
      np.testing.assert_allclose(
        pair_b, np.asarray(all_bn)[np.arange(3), item_b], rtol=1e-5, atol=1e-5
      )

  def test_some_items_equal_all_items(self):
    tower, params = make()
    item_m = np.array([3, 0, 3], np.int32)
    args = PROFILE_BF, HISTORY_BS
    some = tower.apply(
      {'params': params}, *args, item_m, CATEGORY_NL, method='score_items'
    )
    everything = tower.apply(
      {'params': params}, *args, CATEGORY_NL, method='score_all'
    )
    for some_bm, all_bn in zip(some, everything, strict=True):
      np.testing.assert_allclose(
        some_bm, np.asarray(all_bn)[:, item_m], rtol=1e-5, atol=1e-6
      )

  def test_conversion_begins_as_a_bias_of_the_item(self):
    tower = id_tower.IdTower(CONFIG)
    args = PROFILE_BF, HISTORY_BS, CATEGORY_NL
    item_b = np.zeros(3, np.int32)
    params = tower.init(jax.random.key(0), *args[:2], item_b, CATEGORY_NL)
    bias_nk = np.zeros((5, 2))
    bias_nk[:, 1] = np.arange(5)
    params = {'params': params['params'] | {'item_bias': bias_nk}}
    click_bn, conversion_bn = tower.apply(params, *args, method='score_all')
    np.testing.assert_array_equal(conversion_bn, [np.arange(5)] * 3)
    self.assertGreater(float(np.abs(click_bn).max()), 0)

  def test_padding_changes_nothing(self):
    tower, params = make()
    item_b = np.array([4, 0, 2], np.int32)
    longer = np.pad(HISTORY_BS, ((0, 0), (0, 4)), constant_values=-1)
    short, long = (
      tower.apply({'params': params}, PROFILE_BF, h, item_b, CATEGORY_NL)
      for h in (HISTORY_BS, longer)
    )
    np.testing.assert_allclose(short, long, rtol=1e-5, atol=1e-6)

  def test_padding_has_no_gradient(self):
    tower, params = make()

    def total(params):
      logits = tower.apply(
        {'params': params},
        PROFILE_BF[1:],
        HISTORY_BS[1:],
        np.array([0, 0], np.int32),
        CATEGORY_NL,
      )
      return sum(x.sum() for x in logits)

    gradient_nd = jax.grad(total)(params)['item_embedding']
    touched = np.abs(gradient_nd).sum(-1) > 0
    # Item 2 is the history, 0 the target; -1 must not reach item 4, the last.
    np.testing.assert_array_equal(touched, [True, False, True, False, False])

  def test_recent_items_weigh_more(self):
    tower, params = make()
    item_b = np.array([4], np.int32)
    logits = [
      tower.apply(
        {'params': params},
        PROFILE_BF[:1],
        np.array([history], np.int32),
        item_b,
        CATEGORY_NL,
      )[0]
      for history in ([0, 3, 1], [1, 3, 0])
    ]
    self.assertGreater(float(jnp.abs(logits[0] - logits[1])[0]), 1e-3)

  def test_bfloat16_stays_close_and_returns_float32(self):
    _, params = make()
    item_b = np.array([4, 0, 2], np.int32)
    logits = []
    for dtype in ('float32', 'bfloat16'):
      config = dataclasses.replace(CONFIG, dtype=dtype)
      logits.append(
        id_tower.IdTower(config).apply(
          {'params': params}, PROFILE_BF, HISTORY_BS, item_b, CATEGORY_NL
        )[0]
      )
    self.assertEqual(logits[1].dtype, jnp.float32)
    np.testing.assert_allclose(logits[0], logits[1], rtol=0.05, atol=0.1)

  def test_works_without_mlp_profile_or_categories(self):
    config = id_tower.IdTowerConfig(5, (), (), mlp_widths=())
    tower = id_tower.IdTower(config)
    args = (
      np.zeros((3, 0), np.int32),
      HISTORY_BS,
      np.array([1, 2, 3], np.int32),
      np.zeros((5, 0), np.int32),
    )
    variables = tower.init(jax.random.key(0), *args)
    click_b, conversion_b = tower.apply(variables, *args)
    self.assertEqual((click_b.shape, conversion_b.shape), ((3,), (3,)))
    self.assertTrue(np.isfinite(click_b).all())

  @parameterized.parameters(
    ({'num_items': 0}, 'num_items is 0'),
    ({'width': -1}, 'width is -1'),
    ({'conversion_width': 0}, 'conversion_width is 0'),
    ({'mlp_widths': (8, 0)}, 'mlp_widths'),
    ({'profile_cardinalities': [3]}, 'profile_cardinalities'),
    ({'half_life': 0.0}, 'half_life is 0.0'),
    ({'dtype': 'float16'}, "choose 'float32'"),
  )
  def test_bad_config_is_the_users(self, change, message):
    sizes = {
      'num_items': 5,
      'profile_cardinalities': (3,),
      'category_cardinalities': (3,),
    }
    with self.assertRaisesRegex(UserError, message):
      id_tower.IdTowerConfig(**(sizes | change))


if __name__ == '__main__':
  absltest.main()
