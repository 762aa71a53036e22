"""Which tokens of an answer its score is made of."""

import types

from absl.testing import absltest, parameterized
import jax.numpy as jnp
import numpy as np

from taiji_jax import sharding
from taiji_jax.modules import logprob
from taiji_jax.pipeline import scorer


class _Letters:
  """A tokenizer with one token a character."""

  vocab_size, pad_id, bos_id, eos_id = 300, 0, 257, 258

  def encode(self, text):
    return [ord(c) for c in text]

  def decode(self, ids):
    return ''.join(chr(i) for i in ids if 0 < i < 256)


class _Prompts:
  tokenizer = _Letters()

  def __len__(self):
    return 9

  def batch(self, index_b):
    return np.ones((len(index_b), 2), np.int32), np.ones(len(index_b), np.int32)


def _span_logp(decoder, params, prompt, length, completion_bgc, *rest, span):
  """Returns -1 for each 'x', -3 for each 'y', -2 more after 'odd' reasoning."""
  start_bg = rest[1]
  at = start_bg[..., None] + jnp.arange(span)
  at = jnp.minimum(at, completion_bgc.shape[-1] - 1)
  label_bga = jnp.take_along_axis(completion_bgc, at, 2)
  odd_bg1 = (completion_bgc == ord('?')).any(-1, keepdims=True)
  worth = jnp.where(label_bga == ord('x'), -1.0, -100.0)
  return jnp.where(label_bga == ord('y'), -3.0, worth) - 2.0 * odd_bg1


def _scorer():
  mesh = sharding.MeshConfig().make()
  policy = types.SimpleNamespace(
    rollout_mesh=mesh, tokenizer=_Letters(), decoder=None
  )
  with absltest.mock.patch.object(logprob, 'span_logp', _span_logp):
    made = scorer.Scorer(
      policy, {}, _Prompts(), completion=120, answer=60, batch=2
    )
    # Traced while the stand-in is there.
    made(np.array([0]), [['']], ['x'])
    made(np.array([0]), [['', '']], ['x'])
  return made


class ScorerTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.scorer = _scorer()

  @parameterized.parameters(
    # Four letters of the names, none of a marker: (1 + 1 + 3 + 3) / 4.
    ('Item title: xx; Category L1: yy', 2.0),
    ('Item title: x', 1.0),
    ('Item title: x; Category L1: y; L2: y; L3: x', 2.0),
    # No item text: all of it.
    ('xyx', 5 / 3),
  )
  def test_perplexity_is_of_the_names(self, answer, nats):
    scores = self.scorer(np.array([3]), [['so', '?']], [answer])
    np.testing.assert_allclose(
      np.log(scores.ppl_rk), [[nats, nats + 2]], rtol=1e-5
    )
    np.testing.assert_allclose(scores.gain_rk, [[0, -2]], atol=1e-5)

  def test_each_row_by_itself_and_none_where_it_is_too_long(self):
    answers = ['x', 'y', 'Item title: y', 'x' * 61, 'xx', 'xx']
    # 23 signs of tags, 2 of the answer: 95 are left of 120.
    thinks = [['a'], ['b'], ['?'], ['d'], ['e' * 96], ['e' * 95]]
    scores = self.scorer(np.arange(6), thinks, answers)
    np.testing.assert_allclose(
      np.log(scores.ppl_rk[:, 0]), [1, 3, 5, np.nan, np.nan, 1], rtol=1e-5
    )


if __name__ == '__main__':
  absltest.main()
