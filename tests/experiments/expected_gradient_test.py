"""The benchmark of sampled gradients, on a run that is a stand-in."""

import types

from absl.testing import absltest
import jax
import numpy as np

from experiments.benchmarks import expected_gradient
from taiji_jax.data.markers import TAGS
from taiji_jax.data.padding import padded
from taiji_jax.decode import branches
from taiji_jax.modules.decoder_config import DecoderConfig
from taiji_jax.policy import Policy, PolicyConfig
from taiji_jax.rl import expected
from taiji_jax.types import Catalog

CATALOG = Catalog(('a', 'b', 'c'), ('ab', 'ba', 'c d'), ((), (), ()))
LISTED = [[0, 1], [2], [1, 2, 0]]
REWARD = np.array([[0.0, 0.2], [0.5, 1.0], [1.0, 0.4]], np.float32)


class Signs:
  """A token a tag and a sign."""

  pad_id, bos_id, eos_id, vocab_size = 0, 1, 2, 107

  def encode(self, text):
    for i, tag in enumerate(TAGS):
      text = text.replace(tag, chr(127 + i))
    return [ord(sign) - 28 if ord(sign) >= 32 else 3 for sign in text]

  def decode(self, ids):
    signs = (chr(i + 28) if i > 3 else '\n' for i in ids if i >= 3)
    return ''.join(TAGS[ord(s) - 127] if ord(s) > 126 else s for s in signs)


class Encoder:
  def ids(self, rows, r):
    return [1, 50 + r]

  def batch(self, rows, index_b):
    return padded([self.ids(rows, r) for r in index_b], 4, 0)


def stand_in():
  model = DecoderConfig(
    vocab_size=107,
    num_layers=1,
    width=8,
    num_heads=2,
    num_kv_heads=1,
    mlp_width=8,
  )

  def judged(sampled, row_n):
    items = [
      next(n for n, t in enumerate(CATALOG.titles) if f': {t}<' in text)
      for text in sampled.texts
    ]
    return types.SimpleNamespace(reward_nk=REWARD[items])

  return types.SimpleNamespace(
    policy=Policy(PolicyConfig(model, completion=3), Signs()),
    logs=types.SimpleNamespace(catalog=CATALOG),
    rewards=lambda rows, values: judged,
    values=lambda rows: None,
  )


class ExpectedGradientTest(absltest.TestCase):
  def test_a_stand_in(self):
    run, rows = stand_in(), range(3)
    params = jax.jit(run.policy.init)()
    batch = expected_gradient.read(run, Encoder(), params, rows, LISTED)
    reward_bck = expected_gradient.earned(run, rows, LISTED)
    np.testing.assert_allclose(reward_bck[0, :2, 2], [0.1, 0.75])
    np.testing.assert_array_equal(reward_bck[2, :, :2], REWARD[[1, 2, 0]])
    given_bc = np.asarray(batch[-1].given_bc)
    self.assertEqual(given_bc.sum(1).tolist(), [2, 1, 3])
    found = jax.jit(
      lambda *args: expected.compare(
        lambda params, batch: branches.logp(run.policy.decoder, params, *batch),
        *args,
        draws=(1, 256),
        repeats=4,
      )
    )(params, batch, reward_bck, jax.random.key(0))
    result = expected_gradient.told(
      jax.device_get(found), (1, 256), ('s', 'id', 'both')
    )
    for one in result.values():
      few, many = one['draws'].values()
      self.assertGreater(many['cosine'], 0.9)
      self.assertLess(many['error'], few['error'])
      self.assertAlmostEqual(
        few['predicted'] / many['predicted'], 16, delta=0.1
      )
    text = expected_gradient.table(result)
    self.assertIn(f'| both | 256 | {many["cosine"]:.3f} |', text)


if __name__ == '__main__':
  absltest.main()
