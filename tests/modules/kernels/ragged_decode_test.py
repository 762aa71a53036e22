import functools
from unittest import mock

from absl.testing import absltest, parameterized
import jax
import jax.numpy as jnp
import numpy as np

from taiji_jax.modules import attention
from taiji_jax.modules.kernels import ragged_decode
from taiji_jax.modules.kv_cache import Slots


def random(seed, *shape):
  rng = np.random.default_rng(seed)
  return jnp.asarray(rng.normal(size=shape), jnp.float32)


def slots_of(seed, rows, slots, dtype):
  shape = (rows, slots, 2, 16)
  return Slots.of(random(seed, *shape), random(seed + 1, *shape), dtype)


class RaggedDecodeTest(parameterized.TestCase):
  @parameterized.product(
    dtype=('float32', 'bfloat16', 'int8'), block=(128, 1024)
  )
  def test_step_equals_plain(self, dtype, block):
    length_b = np.array([150, 1, 77], np.int32)
    prompt = slots_of(0, 3, 150, jnp.dtype(dtype))
    completion = slots_of(2, 6, 20, jnp.dtype(dtype))
    query_nhd = random(4, 6, 6, 16)
    if dtype == 'bfloat16':
      query_nhd = query_nhd.astype(jnp.bfloat16)
    arguments = (query_nhd, prompt, completion, length_b, jnp.int32(7))
    expected = attention.step(*arguments).astype(jnp.float32)
    kernel = functools.partial(
      ragged_decode.attend, block=block, interpret=True
    )
    with mock.patch.object(ragged_decode, 'attend', kernel):
      found = jax.jit(lambda *a: attention.step(*a, form='kernel'))(*arguments)
    self.assertEqual(found.dtype, query_nhd.dtype)
    np.testing.assert_allclose(
      found.astype(jnp.float32),
      expected,
      atol=2e-2 if dtype == 'bfloat16' else 1e-5,
    )

  def test_parts(self):
    query_bkqd, length_b = random(0, 3, 2, 5, 16), np.array([0, 3, 300])
    slots = slots_of(1, 3, 300, jnp.float32)
    mix, top, total = ragged_decode.attend(
      query_bkqd, slots, length_b, block=128, interpret=True
    )
    # No slot: nothing, and a part that weighs nothing beside another.
    self.assertTrue((mix[0] == 0).all() and (total[0] == 0).all())
    self.assertTrue((top[0] == -1e30).all())
    score = np.einsum(
      'kqd,kds->kqs', query_bkqd[1], slots.key_bhds[1, :, :, :3]
    )
    score /= 4
    np.testing.assert_allclose(top[1], score.max(-1), rtol=1e-5)
    weight = np.exp(score - score.max(-1, keepdims=True))
    np.testing.assert_allclose(total[1], weight.sum(-1), rtol=1e-5)
    np.testing.assert_allclose(
      mix[1],
      np.einsum('kqs,ksd->kqd', weight, slots.value_bhsd[1, :, :3]),
      atol=1e-5,
    )

  def test_what_lies_behind_the_length_is_never_used(self):
    query_bkqd, length_b = random(0, 2, 2, 3, 16), np.array([5, 131])
    slots = slots_of(1, 2, 140, jnp.float32)
    behind = (np.arange(140) >= length_b[:, None])[:, None, :, None]
    spoilt = Slots(
      key_bhds=jnp.where(jnp.swapaxes(behind, 2, 3), jnp.nan, slots.key_bhds),
      value_bhsd=jnp.where(behind, jnp.nan, slots.value_bhsd),
    )
    for one, other in zip(
      ragged_decode.attend(query_bkqd, slots, length_b, 128, True),
      ragged_decode.attend(query_bkqd, spoilt, length_b, 128, True),
      strict=True,
    ):
      np.testing.assert_array_equal(one, other)


if __name__ == '__main__':
  absltest.main()
