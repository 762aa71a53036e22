import os

# Small programs, compiled once each, some of them for four devices.
os.environ['XLA_FLAGS'] = ' '.join(
  (
    os.environ.get('XLA_FLAGS', ''),
    '--xla_force_host_platform_device_count=4',
    '--xla_backend_optimization_level=0',
    '--xla_llvm_disable_expensive_passes=true',
  )
)

from absl.testing import absltest, parameterized
import jax
import jax.numpy as jnp
import numpy as np

from taiji_jax import sharding
from taiji_jax.data import code_tasks, code_tokens
from taiji_jax.data.next_items import ItemCatalog
from taiji_jax.data.padding import padded
from taiji_jax.decode import trie as trie_lib
from taiji_jax.errors import UserError
from taiji_jax.modules.decoder import Decoder
from taiji_jax.recommender.language_model import LanguageModel
from taiji_jax.sharding import MeshConfig
from tests.recommender import language_models

LEVELS, CODES, ITEMS = 3, 4, 11
SPACE = np.random.default_rng(3).permutation(CODES**LEVELS)[:ITEMS]
CODE_NL = np.stack(np.unravel_index(SPACE, (CODES,) * LEVELS), 1)
CODE_NL[7] = CODE_NL[2]  # Two items share one.
CATALOG = ItemCatalog(
  tuple(map(str, range(ITEMS))),
  tuple(f'{"long " * (n % 5)}tool {n}' for n in range(ITEMS)),
  ('',) * ITEMS,
  ('',) * ITEMS,
)
HISTORY_RS = np.array([[1, 2, 3], [4, 0, 0], [7, 7, 0], [10, 9, 8], [5, 0, 0]])
LENGTH_R = np.array([3, 1, 2, 3, 1])


class LanguageModelTest(parameterized.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.tokenizer = language_models.tokenizer(code_tokens.names(LEVELS, CODES))
    cls.tokens = code_tokens.find(cls.tokenizer, LEVELS, CODES)
    cls.prompts = code_tasks.CodePrompts(
      CATALOG, CODE_NL, cls.tokens, cls.tokenizer
    )
    cls.config = language_models.config(cls.tokenizer.vocab_size)
    cls.variables = language_models.variables(cls.config)
    cls.decoder = Decoder(cls.config)
    cls.often_n = np.arange(ITEMS)

    @jax.jit
    def forward(ids):
      at = jnp.broadcast_to(jnp.arange(ids.shape[1]), ids.shape)
      one = jnp.ones_like(ids)
      hidden = cls.decoder.apply(cls.variables, ids, at, one)
      return cls.decoder.apply(cls.variables, hidden, method='logits')

    cls.forward = lambda self, ids: np.asarray(forward(ids), np.float64)

  def model(self, width=ITEMS, normalize='children', **more):
    code_nl, codes = CODE_NL, CODES
    if normalize == 'vocabulary':
      code_nl = self.tokens.token_lk[np.arange(LEVELS), CODE_NL]
      codes = self.config.vocab_size
    return LanguageModel(
      self.decoder,
      self.prompts.prompt,
      self.tokens,
      trie_lib.build(code_nl, codes, self.often_n),
      width=width,
      normalize=normalize,
      **({'rows': 2, 'bucket': 64} | more),
    )

  def scores(self, history, normalize):
    """log p of each item, one whole text after the other."""
    prompt = self.prompts.prompt(history)
    score_n = np.zeros(ITEMS)
    ids = [[*prompt, *self.tokens.ids(code_l)] for code_l in CODE_NL.tolist()]
    logits_ntv = self.forward(padded(ids, 160, 0)[0])
    for n in range(ITEMS):
      for level in range(LEVELS):
        row_v = logits_ntv[n, len(prompt) + level - 1]
        token = ids[n][len(prompt) + level]
        if normalize == 'children':
          same = (CODE_NL[:, :level] == CODE_NL[n, :level]).all(1)
          own = np.unique(CODE_NL[same, level])
          rest = row_v[self.tokens.token_lk[level, own]]
        else:
          rest = row_v
        score_n[n] += row_v[token] - np.log(np.exp(rest).sum())
    return score_n

  @parameterized.parameters('children', 'vocabulary')
  def test_the_whole_catalogue_in_the_order_of_brute_force(self, normalize):
    found = self.model(normalize=normalize).lists(
      self.variables, HISTORY_RS, LENGTH_R, ITEMS
    )
    for r, length in enumerate(LENGTH_R):
      score_n = self.scores(HISTORY_RS[r, :length].tolist(), normalize)
      want = np.lexsort((-self.often_n, -score_n.round(5)))
      np.testing.assert_array_equal(found.item_rk[r], want)
      np.testing.assert_allclose(
        found.score_rk[r], score_n[want], atol=1e-4, rtol=1e-5
      )

  def test_batches_and_buckets_change_nothing(self):
    want = self.model().lists(self.variables, HISTORY_RS, LENGTH_R, 4)
    for more in ({'rows': 5, 'bucket': 7},):
      found = self.model(**more).lists(self.variables, HISTORY_RS, LENGTH_R, 4)
      np.testing.assert_array_equal(found.item_rk, want.item_rk)
      np.testing.assert_allclose(found.score_rk, want.score_rk, atol=1e-5)

  def test_another_catalogue_needs_no_new_program(self):
    model = self.model()
    left = np.array([0, 1, 2, 4, 7])
    capacity = model.trie.capacity
    model.lists(self.variables, HISTORY_RS, LENGTH_R, ITEMS)
    model.swap(
      trie_lib.build(CODE_NL[left], CODES, item_n=left, capacity=capacity)
    )
    found = model.lists(self.variables, HISTORY_RS, LENGTH_R, ITEMS)
    for row in found.item_rk:
      self.assertCountEqual(row[row >= 0].tolist(), left.tolist())
    sizes = [own._cache_size() for own in model._found.values()]
    # One program a bucket of lengths, as without the swap.
    again = self.model()
    again.lists(self.variables, HISTORY_RS, LENGTH_R, ITEMS)
    want = [own._cache_size() for own in again._found.values()]
    self.assertEqual(sizes, want)
    with self.assertRaisesRegex(UserError, 'another capacity'):
      model.swap(trie_lib.build(CODE_NL, CODES, slack=9.0))

  def test_what_is_asked(self):
    model = self.model()
    for history_rs, length_r, text in (
      ([[1, 2]], [0], 'row 0 has a history of 0 items'),
      ([[1, 2]], [3], 'row 0 has a history of 3 items'),
      ([[1, -2]], [2], 'row 0 has item -2'),
      ([[1, 99]], [2], 'at least one item of the 11'),
    ):
      with self.assertRaisesRegex(UserError, text):
        model.lists(self.variables, np.array(history_rs), np.array(length_r), 3)
    none = model.lists(self.variables, HISTORY_RS[:0], LENGTH_R[:0], 3)
    self.assertEqual(none.item_rk.shape, (0, 3))

  def test_sharded_as_on_one_device(self):
    mesh = MeshConfig(data=2, fsdp=2).make()
    model = self.model(rows=4, mesh=mesh)
    placed = sharding.place(
      self.variables, sharding.state_sharding(self.variables, mesh)
    )
    found = model.lists(placed, HISTORY_RS, LENGTH_R, 4)
    want = self.model().lists(self.variables, HISTORY_RS, LENGTH_R, 4)
    np.testing.assert_array_equal(found.item_rk, want.item_rk)
    np.testing.assert_allclose(found.score_rk, want.score_rk, atol=1e-5)
    with self.assertRaisesRegex(UserError, 'rows is 2, which does not divide'):
      self.model(mesh=mesh)

  def test_more_beams_than_items_leave_places_empty(self):
    found = self.model(width=20).lists(self.variables, HISTORY_RS, LENGTH_R, 20)
    np.testing.assert_array_equal(
      np.sort(found.item_rk[:, :ITEMS], 1)[0], np.arange(ITEMS)
    )
    self.assertTrue((found.item_rk[:, ITEMS:] == -1).all())
    self.assertTrue(np.isneginf(found.score_rk[:, ITEMS:]).all())

  @parameterized.parameters(
    ({'normalize': 'all'}, "choose 'children'"),
    ({'rows': 0}, 'rows is 0'),
    ({'bucket': 0}, 'bucket 0'),
  )
  def test_what_is_wrong(self, more, text):
    with self.assertRaisesRegex(UserError, text):
      self.model(**more)


if __name__ == '__main__':
  absltest.main()
