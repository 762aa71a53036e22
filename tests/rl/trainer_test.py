"""The trainer in code of one's own: prompts and rewards that are plain."""

import dataclasses
import pathlib
import weakref

from absl.testing import absltest
import jax
import numpy as np

from taiji_jax import metrics, pareto
from taiji_jax.data.texts import TextPrompts
from taiji_jax.errors import UserError
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


SIZES = DecoderConfig(
  vocab_size=1,
  num_layers=1,
  width=8,
  num_heads=2,
  num_kv_heads=1,
  mlp_width=16,
)
SIZES_WITH_ADAPTERS = dataclasses.replace(SIZES, lora_rank=2)


def policy(temperature=1.0):
  return Policy(PolicyConfig(SIZES, 4, temperature=temperature), Letters())


def config(**more):
  opt = OptimizerConfig(1e-2, steps=2)
  return RLTrainConfig(**({'opt': opt, 'prompts': 2, 'group': 2} | more))


class TrainerTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(self.create_tempdir())
    self.writer = metrics.Writer(self.folder)
    self.prompts = TextPrompts(['ab', 'c', 'dea'], Letters())

  def trainer(
    self, own, rewards=FUNCTIONS, advantage=None, rule=None, **fields
  ):
    return Trainer(
      own,
      self.prompts,
      FunctionRewards(rewards),
      config(**fields),
      writer=self.writer,
      advantage=advantage,
      weighting=rule,
    )

  def test_three_rewards(self):
    own = policy(temperature=0.5)
    start = own.start()
    trainer = self.trainer(own, temperature=0.5)
    params, _ = trainer.run(start, self.folder / 'rl')
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
      # The training forward has the temperature of the rollouts.
      self.assertLess(row['off_policy'], 1e-5)

  def test_without_kl_nothing_holds_the_start(self):
    held = []

    def note(texts, index_n):
      held.append(leaf() is not None)
      return np.zeros(len(texts))

    own = policy()
    trainer = self.trainer(own, {'note': note}, weighting='fixed', kl_beta=0.0)
    given = [own.start()]
    leaf = weakref.ref(jax.tree.leaves(given)[0])
    self.assertIsNotNone(leaf())
    trainer.run(given.pop(), self.folder / 'rl')
    self.assertEqual(held, [False] * 2)
    self.assertNotIn('kl', self.writer.rows()[-1])

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

  def test_a_rule_of_ones_own(self):
    own = policy()
    first = pareto.fixed((0.0, 1.0, 0.0))
    trainer = self.trainer(own, rule=first)
    trainer.run(own.start(), self.folder / 'rl')
    row = self.writer.rows()[-1]
    self.assertEqual([row[f'weight_{n}'] for n in FUNCTIONS], [0, 1, 0])
    with self.assertRaisesRegex(UserError, 'reads losses'):
      self.trainer(own, rule=pareto.famo())

  def test_how_often_a_reward_is_known(self):
    functions = dict(FUNCTIONS)
    functions['even'] = lambda texts, index_n: np.ma.masked_equal(index_n, 1)
    own = policy()
    trainer = self.trainer(own, functions, weighting='fixed')
    trainer.run(own.start(), self.folder / 'rl')
    seen = [row for row in self.writer.rows() if 'known_even' in row]
    self.assertNotEmpty(seen)  # Prompt 1 is among the first three.
    for row in seen:
      self.assertEqual((row['known_even'], row['known_a']), (0.5, 1))

  def test_a_folder_of_another_training(self):
    own = policy()
    start, folder = own.start(), self.folder / 'rl'
    done, _ = self.trainer(own).run(start, str(folder))
    again, _ = self.trainer(own).run(start, folder)
    jax.tree.map(np.testing.assert_array_equal, done, again)
    renamed = {f'{name}s': f for name, f in FUNCTIONS.items()}
    other = jax.tree.map(lambda x: 1.0001 * x, start)
    for trainer, begin, told in (
      (self.trainer(own, renamed), start, 'rewards was .* here it is'),
      (self.trainer(own, kl_beta=0.5), start, 'config was'),
      (self.trainer(own), other, 'start was'),
      (self.trainer(own, rule=pareto.min_norm()), start, 'weighting was'),
    ):
      with self.assertRaisesRegex(UserError, f'another training: its {told}'):
        trainer.run(begin, folder)

  def test_rules_with_other_options_are_told_apart(self):
    own = policy()
    start, folder = own.start(), self.folder / 'rl'
    self.trainer(own, rule=pareto.fixed((1, 0, 0))).run(start, folder)
    self.trainer(own, rule=pareto.fixed((1, 0, 0))).run(start, folder)
    with self.assertRaisesRegex(UserError, 'its weighting was'):
      self.trainer(own, rule=pareto.fixed((0, 1, 0))).run(start, folder)

  def test_a_start_that_fails_holds_no_folder(self):
    def bad(texts, index_n):
      raise KeyError('x')

    own = policy()
    start, folder = own.start(), self.folder / 'rl'
    with self.assertRaises(KeyError):
      self.trainer(own, FUNCTIONS | {'bad': bad}).run(start, folder)
    self.trainer(own).run(start, folder)

  def test_what_the_weighting_does_not_read_is_told(self):
    own = policy()
    for fields, rule, told in (
      ({'weighting': 'popo_light', 'eta': 2.0}, None, ['eta']),
      ({'weighting': 'popo', 'eta': 2.0, 'mu': 2.0, 'form': 'jvp'}, None, []),
      ({'weighting': 'normalized_popo', 'eta': 2.0, 'mu': 2.0}, None, []),
      ({'weighting': 'mirror_min_norm', 'eta': 2.0, 'mu': 2.0}, None, ['mu']),
      ({'weighting': 'min_norm', 'fixed_weights': (1, 1, 1)}, None,
       ['fixed_weights']),
      ({'weighting': 'fixed', 'fixed_weights': (1, 1, 1),
        'alignment_every': 2, 'alignment_on': 'x', 'form': 'one_backward'},
       None, ['alignment_every', 'alignment_on']),
      ({'weighting': 'nash_mtl', 'eta': 2.0, 'alignment_every': 2},
       pareto.popo(), ['weighting', 'eta', 'alignment_every']),
    ):  # fmt: skip
      with self.assertLogs('taiji_jax', 'WARNING') as logs:
        metrics.LOG.warning('One at least.')
        self.trainer(own, rule=rule, **fields)
      found = [line.split('rl.')[1].split()[0] for line in logs.output[1:]]
      self.assertEqual(found, told)
    self.assertIn('rl.eta is 2.0, and the weighting (given', logs.output[2])

  def test_an_earlier_training_of_that_name_is_told(self):
    own = policy()
    start = own.start()
    self.trainer(own).run(start, self.folder / 'a')
    with self.assertLogs('taiji_jax', 'WARNING') as logs:
      self.trainer(own).run(start, self.folder / 'b')
    self.assertIn("2 rows of an earlier 'rl' are replaced", logs.output[0])

  def test_what_does_not_fit(self):
    own = policy()
    functions = FunctionRewards(FUNCTIONS)
    letters = Letters()
    letters.vocab_size = 12
    others = TextPrompts(['ab'], letters)
    for told, make in (
      ("policy's temperature is 0.5, rl.temperature is 1.0",
       lambda: self.trainer(policy(temperature=0.5))),
      ("rl.alignment_on 'atention' matches none .*blocks/attention/key/kernel",
       lambda: self.trainer(own, alignment_on='atention')),
      ("policy's share_prompt is False, rl.share_prompt is True",
       lambda: self.trainer(own, share_prompt=True)),
      ('2 numbers for 3 rewards',
       lambda: self.trainer(
         own, weighting='fixed', fixed_weights=(0.5, 0.5))),
      ('the prompts are a list',
       lambda: Trainer(own, ['a'], functions, config(), writer=self.writer)),
      ('the rewards are a dict; give rl.FunctionRewards',
       lambda: Trainer(
         own, self.prompts, FUNCTIONS, config(), writer=self.writer)),
      ('a tokenizer of 12 tokens, the policy has one of 10',
       lambda: Trainer(own, others, functions, config(), writer=self.writer)),
      ('start is a tuple',
       lambda: self.trainer(own).run((1, 2), self.folder)),
      ('adapters .* need a model',
       lambda: Policy(PolicyConfig(SIZES_WITH_ADAPTERS, 4), letters).frozen),
    ):  # fmt: skip
      with self.subTest(told), self.assertRaisesRegex(UserError, told):
        make()

  def test_an_advantage_of_another_shape(self):
    own = policy()
    flat = lambda reward_bgk, known, weights_k: reward_bgk.mean((1, 2))  # noqa: E731
    with self.assertRaisesRegex(ValueError, r'advantage gave the shape \(2,\)'):
      self.trainer(own, advantage=flat).run(own.start(), self.folder / 'rl')

  def test_saved_and_loaded(self):
    own = policy()
    start = own.start()
    own.save(str(self.folder / 'model.safetensors'), start)
    back = own.load(str(self.folder / 'model.safetensors'))
    jax.tree.map(np.testing.assert_array_equal, start, back)


if __name__ == '__main__':
  absltest.main()
