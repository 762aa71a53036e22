import dataclasses
import os
import pathlib
import tempfile
from unittest import mock

# Small programs, compiled once each.
os.environ['XLA_FLAGS'] = ' '.join(
  (
    os.environ.get('XLA_FLAGS', ''),
    '--xla_backend_optimization_level=0',
    '--xla_llvm_disable_expensive_passes=true',
  )
)

from absl.testing import absltest, parameterized
import numpy as np

from taiji_jax import semantic_ids
from taiji_jax.data.next_items import NextItemData, NextItems
from taiji_jax.errors import UserError
from taiji_jax.evaluate.table import Table
from taiji_jax.pipeline import (
  generator_data,
  generator_recipe,
  generator_rerank,
  generator_table,
)
from taiji_jax.pipeline.generator import TEST, GeneratorRun
from taiji_jax.pipeline.generator_arms import GeneratorArm, GeneratorPlan
from taiji_jax.rank import rerank
from tests.pipeline import circle

ARMS = {
  'generator': GeneratorArm(ids='own'),
  'plain': GeneratorArm('sequence', share=0.0),
  'reranked': GeneratorArm('rerank', base='generator'),
}
TABLE = Table(
  name='generator',
  title='A test',
  metrics=generator_table.METRICS,
  shown=('HR@10', 'NDCG@10'),
  pairs=(('reranked', 'generator'),),
  primary=('reranked-best', 'NDCG@10', 'all'),
)


def _unread(data):
  raise AssertionError('The test rows were read.')


class GeneratorRunTest(parameterized.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.root = pathlib.Path(
      cls.enterClassContext(tempfile.TemporaryDirectory())
    )
    circle.write_log(cls.root)
    cls.run_ = GeneratorRun(
      circle.recipe(cls.root), cls.root / 'run', GeneratorPlan(ARMS, (0,))
    )

  def test_the_circle_is_learnt_and_lists_are_items(self):
    target = self.run_.rows(TEST).target_b
    for name in ('generator', 'plain'):
      item_rk, _ = self.run_.lists(name, 0, TEST, 12)
      for row in item_rk:
        self.assertCountEqual(row[row >= 0].tolist(), set(row[row >= 0]))
        self.assertLess(row.max(), 12)
      self.assertGreater((item_rk[:, :3] == target[:, None]).any(1).mean(), 0.8)

  def test_what_is_ordered_anew_is_the_base_s_list(self):
    base, _ = self.run_.lists('generator', 0, TEST, 12)
    other, _ = self.run_.lists('reranked', 0, TEST, 12)
    np.testing.assert_array_equal(np.sort(base, 1), np.sort(other, 1))

  def test_cells_and_table_stand_in_files_and_are_not_made_twice(self):
    folder = self.root / 'cells'
    result = generator_table.make(self.run_, TABLE, folder)
    generator_table.write(folder, result, TABLE, {'S-GRec': {'HR@10': 0.16}})
    self.assertCountEqual(
      [p.name for p in folder.glob('*-0.json')],
      ['generator-0.json', 'plain-0.json', 'reranked-0.json'],
    )
    self.assertCountEqual(
      result['floors'], ['popularity', 'markov', 'text', 'mixture']
    )
    item_rk, _ = self.run_.lists('generator', 0, TEST, 50)
    hit = (item_rk[:, :10] == self.run_.rows(TEST).target_b[:, None]).any(1)
    self.assertAlmostEqual(
      result['arms']['generator']['HR@10']['mean'], hit.mean(), places=5
    )
    text = (folder / generator_table.MARKDOWN).read_text()
    self.assertIn('## By the target', text)
    self.assertIn('Trained on ', text)
    self.assertNotIn('of the official', text)
    self.assertGreater((folder / generator_table.FIGURE).stat().st_size, 9999)
    with mock.patch.object(
      GeneratorRun, 'lists', side_effect=AssertionError('made again')
    ):
      again = generator_table.make(self.run_, TABLE, folder)
    self.assertEqual(again['arms'], result['arms'])

  def test_a_cell_of_another_recipe_is_refused(self):
    folder = self.root / 'others'
    generator_table.make(self.run_, TABLE, folder, ('plain',))
    recipe = circle.recipe(self.root, seed=1)
    other = GeneratorRun(recipe, self.root / 'other', self.run_.plan)
    with self.assertRaisesRegex(UserError, 'another recipe'):
      generator_table.make(other, TABLE, folder, ('plain',))

  def test_a_table_of_validation_rows_reads_no_test_row(self):
    folder = self.root / 'validation'
    _ = self.run_.shared.digest
    with mock.patch.object(
      NextItemData, 'test', property(_unread), create=True
    ):
      found = generator_table.make(self.run_, TABLE, folder, part='valid')
    self.assertEqual(found['data']['judged'], 'valid')
    # The best look-up of a metric is the best on validation rows.
    for metric, best in found['best_floor'].items():
      if metric in TABLE.shown:
        means = {n: v[metric]['mean'] for n, v in found['floors'].items()}
        self.assertEqual(means[best], max(means.values()), metric)
    self.assertEqual(set(found['best_floor']), set(generator_table.METRICS))
    with self.assertRaisesRegex(UserError, 'another recipe'):
      generator_table.make(self.run_, TABLE, folder)

  def test_items_that_the_quantiser_took_in(self):
    taken_nl = self.run_.codes('taken_in')
    self.assertLen(taken_nl, 12)
    # Training takes all items, so that none is new.
    np.testing.assert_array_equal(taken_nl, self.run_.codes('own'))
    frequency_n = np.ones(12, np.int64)
    frequency_n[[3, 8]] = 0
    run = GeneratorRun(self.run_.recipe, self.root / 'run', self.run_.plan)
    run.shared.__dict__['frequency_n'] = frequency_n
    taken_nl = run.codes('taken_in')
    old = semantic_ids.make(
      run.item_vectors[0][frequency_n > 0], run.recipe.semantic_ids
    )
    np.testing.assert_array_equal(taken_nl[frequency_n > 0], old.code_nl)
    self.assertTrue(((taken_nl >= 0) & (taken_nl < 4)).all())

  def test_a_start_at_codebooks_is_another_model(self):
    fields = self.run_.recipe.generator
    recipe = dataclasses.replace(
      self.run_.recipe,
      generator=dataclasses.replace(fields, code_start='codebooks'),
    )
    run = GeneratorRun(recipe, self.root / 'run', self.run_.plan)
    _, begun = run.model('generator', 0)
    _, drawn = self.run_.model('generator', 0)
    self.assertNotEqual(begun.key, drawn.key)

  def test_features_of_training_rows_do_not_know_the_rows_user(self):
    train = self.run_.rows('train')
    item_rk = np.stack([train.target_b, np.zeros_like(train.target_b)], 1)
    item_rk[:, 1] = -1
    own = generator_rerank.features(self.run_.shared, 'train', item_rk)
    want = self.run_.shared.folds.features(train, item_rk)
    np.testing.assert_array_equal(own[..., : want.shape[-1]], want)
    self.assertTrue(np.isfinite(own).all())
    at = want.shape[-1]
    want = self.run_.shared.folds.evidence(train, item_rk)
    np.testing.assert_array_equal(own[..., at : at + want.shape[-1]], want)
    taken = self.run_.shared.folds.popularity(train, item_rk) * len(train)
    found = (own == np.log1p(taken)).all((0, 1))
    self.assertEqual(found.nonzero()[0].tolist(), [own.shape[-1] - 4])

  def test_an_interrupted_re_ranking_does_not_lose_the_model(self):
    dies = mock.patch.object(rerank, 'fit', side_effect=KeyboardInterrupt)
    with dies, self.assertRaises(KeyboardInterrupt):
      self.run_.reranker(9)
    folder = self.run_.model('generator', 0)[1].folder
    self.assertTrue((folder / 'params.safetensors').exists())

  def test_a_re_ranked_teacher_orders_the_mixture_s_lists(self):
    shared = self.run_.shared
    item_rj, p_rj = generator_rerank.teacher(shared, 4)
    lists = shared.folds.best(shared.data.train, 12)
    for row, own in zip(item_rj, lists, strict=True):
      self.assertContainsSubset(row[row >= 0], own)
    self.assertTrue((np.diff(p_rj, axis=1) <= 0).all())
    self.assertTrue((p_rj.sum(1) <= 1 + 1e-5).all())
    # The circle is easy: the next item has nearly all of it.
    target = shared.data.train.target_b
    self.assertGreater((item_rj[:, 0] == target).mean(), 0.8)


class HistoriesTest(absltest.TestCase):
  def test_oldest_first_padded_on_the_right(self):
    rows = NextItems.of(['a', 'b'], [[5, 6, 7], [8]], [0, 0])
    history_rs, length_r = generator_data.histories(rows, 2)
    self.assertEqual(history_rs.tolist(), [[6, 7], [8, 0]])
    self.assertEqual(length_r.tolist(), [2, 1])


class RecipeTest(parameterized.TestCase):
  @parameterized.parameters(
    ({'data': {'path': 'x', 'source': 'csv'}}, 'data.source'),
    ({'data': {'source': 'minionerec'}}, "data.path is ''"),
    ({'data': {'source': 'leave_one_out'}}, 'needs a log'),
    ({'ids_width': 0}, 'ids_width is 0'),
    ({'typo': 1}, 'typo'),
    ({'arms': {'seeds': (1, 1)}}, 'all different'),
  )
  def test_what_is_wrong(self, more, text):
    with self.assertRaisesRegex(UserError, text):
      circle.recipe(pathlib.Path('x'), **more)

  def test_arms(self):
    plan = GeneratorPlan(ARMS, (0, 1))
    self.assertEqual(
      plan.only(('reranked',)).cells(),
      [('generator', 0), ('reranked', 0), ('generator', 1), ('reranked', 1)],
    )
    with self.assertRaisesRegex(UserError, 'choose among generator'):
      plan.only(('none',))
    with self.assertRaisesRegex(ValueError, 'no arm before it'):
      GeneratorPlan({'a': GeneratorArm('rerank', base='b')}, (0,))
    with self.assertRaisesRegex(ValueError, 'need a base'):
      GeneratorArm('rerank')


class IndustrialTest(absltest.TestCase):
  @absltest.skipUnless(os.environ.get('TAIJI_DATA'), 'needs TAIJI_DATA')
  def test_rows_and_codes_of_the_official_files(self):
    path = pathlib.Path(os.environ['TAIJI_DATA']) / 'minionerec_industrial'
    config = generator_recipe.NextItemsConfig(path=str(path))
    data = generator_data.read(config)
    self.assertLen(data.valid, 4532)
    self.assertLen(data.test, 4533)
    self.assertEqual(data.catalog.codes_nl.shape, (3686, 3))


if __name__ == '__main__':
  absltest.main()
