"""A generator that is reinforced by the one RL trainer."""

import dataclasses
import pathlib

from absl.testing import absltest, parameterized
import jax
import jax.numpy as jnp
import numpy as np

from taiji_jax import metrics
from taiji_jax.decode import trie as trie_lib
from taiji_jax.decode.rollouts import RolloutBatch
from taiji_jax.errors import UserError
from taiji_jax.modules.item_decoder import ItemDecoderConfig
from taiji_jax.recommender import Generator, ItemPolicy, ItemPrompts
from taiji_jax.rl import Rewarded, RLTrainConfig, Trainer
from taiji_jax.train_state import OptimizerConfig

ITEMS, CODES = 10, 4
# Items 0 and 1 share an ID; there are nine.
CODE_NL = np.array([[n // CODES, n % CODES] for n in (0, *range(ITEMS - 1))])
HISTORY_RS = np.array([[3, 5, 0], [7, 0, 0], [2, 2, 9], [1, 4, 0]])
LENGTH_R = np.array([2, 1, 3, 2])


def _generator(normalize='children'):
  config = ItemDecoderConfig(
    ITEMS, (CODES, CODES), 8, 1, 2, 8, head_width=8, dropout=0.1
  )
  frequency_n = np.arange(ITEMS)
  trie = trie_lib.build(CODE_NL, CODES, frequency_n)
  return Generator(config, CODE_NL, trie, normalize=normalize)


def _large(params):
  return jax.tree.map(lambda x: x * 5, params)


def _sampled(policy, params, group, temperature=1.0):
  seed_n = np.arange(len(LENGTH_R) * group, dtype=np.uint32)
  return policy.sampler(temperature)(params, HISTORY_RS, LENGTH_R, seed_n)


@dataclasses.dataclass(frozen=True)
class Liked:
  """1 for items below 5, and whether the row is even."""

  names = ('liked', 'even')

  def __call__(self, sampled, row_n):
    reward_nk = np.stack([sampled.item_n < 5, row_n % 2 == 0], -1)
    known_nk = np.ones(reward_nk.shape, bool)
    return Rewarded(reward_nk.astype(np.float32), known_nk, {})


class ItemPolicyTest(parameterized.TestCase):
  @parameterized.parameters(('beams', 1.0), ('samples', 1.0), ('samples', 0.7))
  def test_decoding_and_training_say_the_same(self, rollouts, temperature):
    policy = ItemPolicy(_generator(), rollouts, temperature)
    params = _large(policy.generator.init(0))
    found = _sampled(policy, params, 4, temperature)
    batch = RolloutBatch(
      prompt_bp=jnp.asarray(HISTORY_RS),
      prompt_length_b=jnp.asarray(LENGTH_R),
      completion_bgc=found.token_nc.reshape(4, 4, 2),
      length_bg=found.length_n.reshape(4, 4),
      old_logp_bgc=found.logp_nc.reshape(4, 4, 2),
      reward_bgk=jnp.zeros((4, 4, 1)),
    )
    logp_bgc = jax.jit(policy.rollout_logp)(params, batch)
    np.testing.assert_allclose(logp_bgc, batch.old_logp_bgc, atol=1e-5)

  def test_beams_are_the_likeliest_ids_all_different(self):
    policy = ItemPolicy(_generator())
    params = _large(policy.generator.init(0))
    completions = _sampled(policy, params, 6)
    sampled = policy.sampled(completions, 6)
    self.assertEqual(sampled.rank_n.tolist(), [*range(6)] * 4)
    self.assertEqual(sampled.group_n.tolist(), [n // 6 for n in range(24)])
    for leaf_g in sampled.leaf_n.reshape(4, 6):
      self.assertLen(set(leaf_g.tolist()), 6)
    logp_bg = sampled.logp_n.reshape(4, 6)
    self.assertTrue((np.diff(logp_bg, axis=1) <= 1e-6).all())
    lists = policy.generator.lists(params, HISTORY_RS, LENGTH_R, 9)
    for row in range(4):
      # Item 1 stands for both that share an ID: training takes it more often.
      own = lists.item_rk[row]
      want = own[own != 0][:6].tolist()
      self.assertEqual(sampled.item_n.reshape(4, 6)[row].tolist(), want)

  def test_ranks_of_samples_are_those_of_their_probabilities(self):
    policy = ItemPolicy(_generator(), 'samples')
    params = _large(policy.generator.init(0))
    sampled = policy.sampled(_sampled(policy, params, 8), 8)
    rank_bg, logp_bg = (
      x.reshape(4, 8) for x in (sampled.rank_n, sampled.logp_n)
    )
    for rank_g, logp_g in zip(rank_bg, logp_bg, strict=True):
      self.assertCountEqual(rank_g.tolist(), range(8))
      self.assertTrue((np.diff(logp_g[np.argsort(rank_g)]) <= 0).all())

  def test_more_beams_than_ids(self):
    policy = ItemPolicy(_generator())
    params = policy.generator.init(0)
    completions = _sampled(policy, params, 12)
    sampled = policy.sampled(completions, 12)
    np.testing.assert_array_equal(
      (sampled.item_n >= 0).reshape(4, 12).sum(1), 9
    )
    length_n = np.asarray(completions.length_n)
    np.testing.assert_array_equal(length_n > 0, sampled.item_n >= 0)
    # No text is that of an ID, '0 0' such as.
    texts = np.array(sampled.texts)
    np.testing.assert_array_equal(texts == '', sampled.item_n < 0)
    self.assertTrue(np.isfinite(np.asarray(completions.logp_nc)).all())

  @parameterized.parameters('beams', 'samples')
  def test_the_trainer_reinforces_it(self, rollouts):
    folder = pathlib.Path(self.create_tempdir())
    policy = ItemPolicy(_generator(), rollouts)
    trainer = Trainer(
      policy,
      ItemPrompts(HISTORY_RS, LENGTH_R),
      Liked(),
      RLTrainConfig(
        opt=OptimizerConfig(5e-2, steps=20),
        prompts=4,
        group=9,
        kl_beta=1e-3,
        weighting='fixed',
        fixed_weights=(1.0, 0.0),
      ),
      writer=metrics.Writer(folder),
    )
    start = policy.generator.init(0)
    params, _ = trainer.run(start, folder / 'rl')
    row = trainer._writer.rows()[-1]
    self.assertLess(row['off_policy'], 1e-5)
    seen = []
    for own in (start, params):
      found = policy.generator.lists(own, HISTORY_RS, LENGTH_R, ITEMS)
      p_rk = np.exp(found.score_rk)
      seen.append((p_rk * (found.item_rk < 5)).sum(1).mean())
    self.assertGreater(seen[1], seen[0] + 0.1)

  @parameterized.parameters('beams', 'samples')
  def test_a_swapped_catalogue_is_sampled_without_a_new_program(self, rollouts):
    policy = ItemPolicy(_generator(), rollouts)
    params = _large(policy.generator.init(0))
    _sampled(policy, params, 6)
    left = np.array([2, 5, 7])
    capacity = policy.generator.trie.capacity
    policy.generator.swap(
      trie_lib.build(CODE_NL[left], CODES, item_n=left, capacity=capacity)
    )
    sampled = policy.sampled(_sampled(policy, params, 6), 6)
    self.assertContainsSubset(
      set(sampled.item_n[sampled.item_n >= 0].tolist()), {2, 5, 7}
    )
    (found,) = policy._samplers.values()
    self.assertEqual(found._cache_size(), 1)

  def test_refuses_histories(self):
    other_rs = HISTORY_RS.copy()
    other_rs[2, 2] = ITEMS
    with self.assertRaisesRegex(UserError, 'row 2 has item 10 at place 2'):
      ItemPrompts(other_rs, LENGTH_R, ITEMS)
    with self.assertRaisesRegex(UserError, 'row 2 has item -1 at place 2'):
      ItemPrompts(np.where(other_rs == ITEMS, -1, other_rs), LENGTH_R)
    with self.assertRaisesRegex(UserError, 'row 0 has a history of 4 items'):
      ItemPrompts(HISTORY_RS, LENGTH_R + 2)
    with self.assertRaisesRegex(UserError, 'a length for each row'):
      ItemPrompts(HISTORY_RS, LENGTH_R[:3])
    # What lies behind the end is nobody's.
    behind_rs = np.where(np.arange(3) < LENGTH_R[:, None], HISTORY_RS, 99)
    prompts = ItemPrompts(behind_rs, LENGTH_R, ITEMS)
    np.testing.assert_array_equal(prompts.history_rs, HISTORY_RS)
    prompts = ItemPrompts(other_rs, LENGTH_R)
    policy = ItemPolicy(_generator())
    params = policy.generator.init(0)
    history_bs, length_b = map(jnp.asarray, prompts.batch(np.arange(4)))
    with self.assertRaisesRegex(UserError, 'row 2 has item 10.*knows 10'):
      policy.sampler(1.0)(params, history_bs, length_b, np.arange(8))

  def test_refuses_temperatures_and_forms(self):
    for wrong in (0.0, -1.0, np.nan, np.inf):
      for rollouts in ('beams', 'samples'):
        with self.assertRaisesRegex(UserError, 'give a number above 0'):
          ItemPolicy(_generator(), rollouts, wrong)
      with self.assertRaisesRegex(UserError, 'give a number above 0'):
        ItemPolicy(_generator(), 'samples').sampler(wrong)
    with self.assertRaisesRegex(UserError, "'beams' are not drawn"):
      ItemPolicy(_generator()).sampler(0.5)
    generator = _generator('vocabulary')
    self.assertEqual(generator.normalize, 'vocabulary')
    with self.assertRaisesRegex(UserError, 'whose probabilities are others'):
      ItemPolicy(generator, 'samples')
    ItemPolicy(generator)

  def test_refuses(self):
    with self.assertRaisesRegex(UserError, 'choose one of beams, samples'):
      ItemPolicy(_generator(), 'greedy')
    with self.assertRaisesRegex(UserError, "'beams' are not drawn"):
      ItemPolicy(_generator(), temperature=0.5)
    with self.assertRaisesRegex(UserError, 'row 1 has a history of 0 items'):
      ItemPrompts(HISTORY_RS, LENGTH_R - 1)
    folder = pathlib.Path(self.create_tempdir())
    opt = OptimizerConfig(1e-2, steps=1)
    with self.assertRaisesRegex(UserError, 'which ItemPolicy has not'):
      Trainer(
        ItemPolicy(_generator()),
        ItemPrompts(HISTORY_RS, LENGTH_R),
        Liked(),
        RLTrainConfig(opt=opt, prompts=2, group=2, form='one_backward'),
        writer=metrics.Writer(folder),
      )


if __name__ == '__main__':
  absltest.main()
