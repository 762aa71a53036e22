import functools
from unittest import mock

from absl.testing import absltest, parameterized
import jax
import jax.numpy as jnp
import numpy as np

from taiji_jax.modules import attention
from taiji_jax.modules.kernels import splash


def interpreted(test):
  """Runs the kernel where there is no TPU."""
  test.enter_context(
    mock.patch.object(
      splash, 'attend', functools.partial(splash.attend, interpret=True)
    )
  )


def random(seed, *shape):
  rng = np.random.default_rng(seed)
  return jnp.asarray(rng.normal(size=shape), jnp.float32)


def make(segment_bt, heads=4, kv_heads=2, width=8):
  b, t = segment_bt.shape
  query_bthd = random(0, b, t, heads, width)
  return (
    query_bthd,
    random(1, b, t, kv_heads, width),
    random(2, b, t, kv_heads, width),
  )


def values_and_gradients(form, segment_bt, fork, inputs):
  """What valid tokens attend to, and gradients of a random sum of it."""
  valid_bt11 = (np.asarray(segment_bt) > 0)[..., None, None]
  factor_bthd = random(3, *inputs[0].shape)

  def total(query_bthd, key_bthd, value_bthd):
    y_bthd = attention.whole(
      query_bthd, key_bthd, value_bthd, segment_bt, fork, form
    )
    y_bthd = jnp.where(valid_bt11, y_bthd, 0)
    return (y_bthd * factor_bthd).sum(), y_bthd

  gradients, y_bthd = jax.jit(jax.grad(total, argnums=(0, 1, 2), has_aux=True))(
    *inputs
  )
  return y_bthd, *gradients


class SplashTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    interpreted(self)

  def assert_equals_plain(self, segment_bt, fork, **sizes):
    inputs = make(segment_bt, **sizes)
    found = values_and_gradients('kernel', segment_bt, fork, inputs)
    expected = values_and_gradients('plain', segment_bt, fork, inputs)
    for one, other in zip(found, expected, strict=True):
      np.testing.assert_allclose(one, other, atol=1e-5)

  def test_packed_rows(self):
    # Three texts and padding, across the border of a block of 128.
    segment_bt = np.repeat([[1, 2, 3, 0], [1, 1, 1, 1]], 40, 1)
    self.assert_equals_plain(segment_bt.astype(np.int32), None)

  def test_heads_that_share_all_and_none(self):
    segment_bt = np.ones((1, 20), np.int32)
    self.assert_equals_plain(segment_bt, None, heads=3, kv_heads=1)
    self.assert_equals_plain(segment_bt, None, heads=2, kv_heads=2, width=16)

  def test_fork(self):
    # A prompt of 130 slots, three completions of 20; all end early.
    segment_bt = np.ones((2, 190), np.int32)
    segment_bt[0, 120:130] = 0
    segment_bt[0, 145:150] = 0
    segment_bt[1, 171:] = 0
    self.assert_equals_plain(segment_bt, (130, 20))

  def test_mask_equals_the_plain_one(self):
    for fork in (None, (5, 3), (1, 1)):
      length = 20
      mask = splash.TextMask(length, fork)
      plain = attention.visible(jnp.ones((1, length), jnp.int32), fork)[0]
      np.testing.assert_array_equal(mask[:, :], plain)
      np.testing.assert_array_equal(mask[3:7, 2:11], plain[3:7, 2:11])

  def test_mask_of_many_completions(self):
    # Slot and branch must fit into one number.
    for prompt, group, completion in ((3, 700, 2), (600, 1500, 1), (1, 2, 900)):
      fork = prompt, completion
      length = prompt + group * completion
      mask = splash.TextMask(length, fork)
      some = slice(None, None, 7)
      branch_t = attention.branch(np.arange(length), fork)
      slot_t = np.arange(length)
      plain = (slot_t[some, None] >= slot_t) & (
        (branch_t[some, None] == branch_t) | (branch_t == 0)
      )
      np.testing.assert_array_equal(mask[some, :], plain)
    with self.assertRaisesRegex(ValueError, 'too long for the kernel'):
      splash.TextMask(8, (4, 1 << 30))

  def test_masks_are_told_apart(self):
    self.assertEqual(splash.TextMask(8, (4, 2)), splash.TextMask(8, (4, 2)))
    self.assertNotEqual(splash.TextMask(8, (4, 2)), splash.TextMask(8, None))
    self.assertLen({splash.TextMask(8, None), splash.TextMask(8, None)}, 1)


if __name__ == '__main__':
  absltest.main()
