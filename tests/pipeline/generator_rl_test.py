"""Reinforced arms on a log of twelve items."""

import dataclasses
import os
import pathlib
import tempfile

# Small programs, compiled once each.
os.environ['XLA_FLAGS'] = ' '.join(
  (
    os.environ.get('XLA_FLAGS', ''),
    '--xla_backend_optimization_level=0',
    '--xla_llvm_disable_expensive_passes=true',
  )
)

from absl.testing import absltest, parameterized
import jax
import numpy as np

from taiji_jax import metrics
from taiji_jax.decode.sampled import SampledItems
from taiji_jax.errors import UserError
from taiji_jax.pipeline import generator_recipe, generator_rl
from taiji_jax.pipeline.generator import GeneratorRun
from taiji_jax.pipeline.generator_arms import GeneratorArm, GeneratorPlan
from taiji_jax.pipeline.generator_rl_config import (
  METHODS,
  BusinessConfig,
  ReinforcedConfig,
)
from taiji_jax.train_state import OptimizerConfig
from tests.pipeline import circle


def _arm(**rl):
  return GeneratorArm('reinforced', base='generator', rl=rl)


ARMS = {
  'generator': GeneratorArm(ids='own'),
  'business': _arm(method='business'),
  'a2po': _arm(),
  'a2po_100': _arm(judged=1.0),
  'samples': _arm(rollouts='samples', method='gdpo', judge='random'),
  'popo': _arm(method='weighted', weighting='popo', judged=1.0),
  'reranked': GeneratorArm('rerank', base='a2po'),
}
RL = {
  'opt': {'lr': 0.02, 'steps': 4},
  'rows': 60,
  'prompts': 10,
  'group': 4,
  'judged': 0.4,
}


class GeneratorRlTest(parameterized.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.root = pathlib.Path(
      cls.enterClassContext(tempfile.TemporaryDirectory())
    )
    circle.write_log(cls.root)
    cls.run_ = GeneratorRun(
      circle.recipe(cls.root, rl=RL),
      cls.root / 'run',
      GeneratorPlan(ARMS, (0,)),
    )

  def _rows(self, stage):
    rows = metrics.Writer(self.run_.workdir).rows()
    return [row for row in rows if row['stage'] == stage]

  def test_arms_begin_at_one_generator_and_differ(self):
    start, _ = self.run_.model('generator', 0)
    seen = {}
    for name in ('business', 'a2po', 'a2po_100', 'samples', 'popo'):
      params, product = self.run_.model(name, 0)
      seen[product.key] = name
      moved = max(
        float(np.abs(a - b).max())
        for a, b in zip(*map(jax.tree.leaves, (start, params)), strict=True)
      )
      self.assertGreater(moved, 0, name)
      again, _ = self.run_.model(name, 0)
      np.testing.assert_array_equal(
        jax.tree.leaves(again)[0], jax.tree.leaves(params)[0]
      )
      self.assertLess(self._rows(f'{name}_0')[0]['off_policy'], 1e-5)
    self.assertLen(seen, 5)
    lists, _ = self.run_.lists('reranked', 0, 'valid', 5)
    self.assertTrue((lists >= 0).all())

  def test_what_every_step_tells(self):
    self.run_.model('a2po', 0)
    self.run_.model('business', 0)
    row = self._rows('a2po_0')[-1]
    for name in (
      *('hit_rate', 'group_hit_rate', 'lambda', 'sign_agreement'),
      *('judge_calls', 'zero_variance_business', 'zero_variance_semantic'),
    ):
      self.assertIn(name, row)
    self.assertAlmostEqual(
      row['judge_calls'], row['known_semantic'] * 40, places=3
    )
    self.assertNotIn('judge_calls', self._rows('business_0')[-1])

  def test_judged_rows_are_the_same_for_all_and_grow_with_the_share(self):
    shared = self.run_.reinforcement
    sampled = self._sampled(4)
    row_n = np.repeat(np.arange(15), 4)
    known = {}
    for share in (0.2, 0.4, 1.0):
      config = dataclasses.replace(shared.config('a2po'), judged=share)
      found = shared.rewards(config, 'own')(sampled, row_n)
      known[share] = found.known_nk[:, 1]
      self.assertTrue(found.known_nk[:, 0].all())
    self.assertTrue(known[1.0].all())
    self.assertTrue((known[0.4] >= known[0.2]).all())
    self.assertLess(known[0.4].sum(), 60)

  def _sampled(self, group):
    n = np.arange(15 * group)
    item_n = (n % 12).astype(np.int32)
    leaf_n = generator_rl.leaves(self.run_.trie('own'))[item_n]
    return SampledItems(
      [''] * len(n), n // group, n % group, item_n, leaf_n, np.zeros(len(n))
    )

  def test_what_is_said_of_lists(self):
    rows = self.run_.rows('valid')
    item_rk = np.tile(np.arange(12, dtype=np.int32), (len(rows), 1))
    item_rk[:, 9] = -1
    found = generator_rl.of_lists(self.run_, 'valid', item_rk)
    self.assertEqual(set(found), set(generator_rl.OF_LISTS))
    self.assertAlmostEqual(found['distinct@10'].mean(), 9, places=4)
    taken_n = self.run_.shared.frequency_n + 1
    want = -np.log2(taken_n[:9] / taken_n.sum()).mean()
    np.testing.assert_allclose(found['novelty@10'], want, rtol=1e-5)
    judge = self.run_.reinforcement.judge('cosine', rows)
    want = judge.scores(np.zeros(9, int), np.arange(9)).mean()
    self.assertAlmostEqual(found['semantic@10'][0], want, places=5)

  def test_leaves_of_items(self):
    leaf_n = generator_rl.leaves(self.run_.trie('own'))[:12]
    code_nl = self.run_.codes('own')
    same_nn = (code_nl[:, None] == code_nl).all(-1)
    np.testing.assert_array_equal(leaf_n[:, None] == leaf_n, same_nn)

  def test_users_of_the_judge_are_not_those_of_rl(self):
    train = self.run_.rows('train')
    judge_r = generator_rl.of_judge(train, 0)
    shared = self.run_.reinforcement
    judges = {u for u, own in zip(train.user, judge_r, strict=True) if own}
    self.assertTrue(judges)
    self.assertFalse(judges & set(shared.rows.user))
    self.assertLen(shared.rows, 60)

  def test_dense_business_rewards(self):
    shared = self.run_.reinforcement
    config = dataclasses.replace(
      shared.config('business'),
      business=BusinessConfig(rule_and_rank=0, prefix=0.5, collaborative=0.1),
    )
    sampled = self._sampled(4)
    row_n = np.repeat(np.arange(15), 4)
    found = shared.rewards(config, 'own')(sampled, row_n).reward_nk[:, 0]
    train = self.run_.shared
    p_rn = train.folds.scores(shared.rows)
    popular_n = (train.frequency_n + 1) / (train.frequency_n + 1).sum()
    lift = np.log(p_rn[row_n, sampled.item_n] / popular_n[sampled.item_n])
    code_nl = self.run_.codes('own')
    same = code_nl[sampled.item_n] == code_nl[shared.rows.target_b[row_n]]
    want = 0.5 * np.cumprod(same, 1).mean(1) + 0.1 * lift
    np.testing.assert_allclose(found, want, rtol=1e-4, atol=1e-5)

  def test_without_a_section(self):
    run = GeneratorRun(
      circle.recipe(self.root), self.root / 'run', self.run_.plan
    )
    with self.assertRaisesRegex(UserError, 'no section `rl`'):
      run.model('a2po', 0)

  def test_more_rows_than_there_are(self):
    rl = RL | {'rows': 10_000}
    run = GeneratorRun(
      circle.recipe(self.root, rl=rl), self.root / 'run', self.run_.plan
    )
    with self.assertRaisesRegex(UserError, 'rl.rows is 10000'):
      run.model('a2po', 0)


class ReinforcedConfigTest(parameterized.TestCase):
  @parameterized.parameters(
    ({'method': 'ppo'}, 'choose one of business'),
    ({'judge': 'human'}, 'choose one of cosine, random'),
    ({'judged': 0.0}, 'above 0'),
    ({'uninformed': 2.0}, '0 to 1'),
    ({'rows': -1}, '0 or more'),
    ({'rollouts': 'greedy'}, 'beams, samples'),
    ({'business': {'rule_and_rank': 0.0}}, 'not all 0'),
  )
  def test_what_is_wrong(self, fields, text):
    with self.assertRaisesRegex(UserError, text):
      circle.recipe(pathlib.Path('x'), rl=RL | fields)

  @parameterized.parameters(*METHODS)
  def test_every_method_has_an_advantage(self, method):
    config = ReinforcedConfig(opt=OptimizerConfig(1e-3, 1), method=method)
    made = config.make_advantage()
    reward_bgk = np.zeros((1, 4, 2), np.float32)
    if made is not None:
      self.assertEqual(made(reward_bgk, None, None).shape, (1, 4))
    self.assertEqual(config.asks, method != 'business')

  def test_arms(self):
    with self.assertRaisesRegex(ValueError, 'need a base'):
      GeneratorArm('reinforced')
    with self.assertRaisesRegex(ValueError, 'is no generator'):
      GeneratorPlan({'a': GeneratorArm('reinforced', base='mixture')}, (0,))

  def test_a_section_of_a_recipe(self):
    recipe = circle.recipe(pathlib.Path('x'), rl=RL)
    self.assertIsInstance(recipe, generator_recipe.GeneratorRecipe)
    self.assertNotIn('rl', recipe.key())


if __name__ == '__main__':
  absltest.main()
