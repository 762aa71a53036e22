"""The trainer in code of one's own: prompts and rewards that are plain."""

import pathlib

from absl.testing import absltest
import jax
import numpy as np

from taiji_jax import metrics
from taiji_jax.data.texts import TextPrompts
from taiji_jax.modules.decoder_config import DecoderConfig
from taiji_jax.policy import Policy, PolicyConfig
from taiji_jax.rl import FunctionRewards, RLTrainConfig, Trainer
from taiji_jax.train_state import OptimizerConfig


class Letters:
  """Tokens 3 to 9 are letters; 0, 1, 2 are pad, bos, eos."""

  vocab_size, pad_id, bos_id, eos_id = 10, 0, 1, 2

  def encode(self, text):
    return [ord(letter) - ord('a') + 3 for letter in text]

  def decode(self, ids):
    return ''.join(chr(ord('a') + i - 3) for i in ids if i > 2)


FUNCTIONS = {
  'a': lambda texts, index_n: [text.count('a') for text in texts],
  'short': lambda texts, index_n: [-len(text) for text in texts],
  'even': lambda texts, index_n: (index_n + 1) % 2,
}


def policy(temperature=1.0):
  sizes = DecoderConfig(1, 1, 8, 2, 1, 16)
  return Policy(PolicyConfig(sizes, 4, temperature=temperature), Letters())


def config(**more):
  opt = OptimizerConfig(1e-2, steps=2)
  return RLTrainConfig(**({'opt': opt, 'prompts': 2, 'group': 2} | more))


class TrainerTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(self.create_tempdir())
    self.writer = metrics.Writer(self.folder)
    self.prompts = TextPrompts(['ab', 'c', 'dea'], Letters())

  def trainer(self, own, rewards=FUNCTIONS, advantage=None, **fields):
    return Trainer(
      own,
      self.prompts,
      FunctionRewards(rewards),
      config(**fields),
      writer=self.writer,
      advantage=advantage,
    )

  def test_three_rewards(self):
    own = policy()
    start = own.start()
    params, _ = self.trainer(own).run(start, self.folder / 'rl')
    changed = [
      np.abs(a - b).max()
      for a, b in zip(*map(jax.tree.leaves, (start, params)), strict=True)
    ]
    self.assertGreater(max(changed), 0)
    rows = self.writer.rows()
    self.assertEqual([row['step'] for row in rows], [1, 2])
    for row in rows:
      weights = [row[f'weight_{name}'] for name in FUNCTIONS]
      self.assertAlmostEqual(sum(weights), 1, places=5)
      self.assertLessEqual(row['reward_short'], 0)

  def test_each_function_sees_the_prompt_of_its_text(self):
    seen = []

    def note(texts, index_n):
      seen.extend(index_n.tolist())
      return np.zeros(len(texts))

    own = policy()
    trainer = self.trainer(own, {'note': note})
    trainer.collect(own.start(), np.array([2, 0]), 0)
    self.assertEqual(seen, [2, 2, 0, 0])

  def test_an_advantage_of_ones_own(self):
    given = []

    def none(reward_bgk, known_bgk, weights_k):
      given.append((reward_bgk.shape, known_bgk, weights_k.shape))
      return 0.0 * reward_bgk.sum(-1)

    own = policy()
    start = own.start()
    trainer = self.trainer(own, advantage=none, kl_beta=0.0, weighting='fixed')
    params, _ = trainer.run(start, self.folder / 'rl')
    self.assertEqual(given[0], ((2, 2, 3), None, (3,)))
    # No advantage, no KL: nothing to learn.
    jax.tree.map(np.testing.assert_array_equal, start, params)

  def test_another_temperature(self):
    with self.assertRaisesRegex(
      ValueError, 'at temperature 0.5 and rl samples'
    ):
      self.trainer(policy(temperature=0.5))

  def test_weights_for_other_rewards(self):
    with self.assertRaisesRegex(ValueError, '2 numbers for 3 rewards'):
      self.trainer(policy(), weighting='fixed', fixed_weights=(0.5, 0.5))


if __name__ == '__main__':
  absltest.main()
