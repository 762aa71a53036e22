"""Taiji's tables and figure, of made-up cells."""

import json
import pathlib
import tempfile

from absl.testing import absltest
import taiji_cells

from experiments import taiji_table
from experiments.documents import taiji
from experiments.documents.sources import Sources
from taiji_jax.pipeline import table

LATER = ('popo_held', 'llm_direct', 'llm_direct_held', 'llm_true')


def lines(text, first):
  """Returns the cells of each line of a table that begins so."""
  return [
    [cell.strip() for cell in line.split('|')[1:-1]]
    for line in text.splitlines()
    if line.startswith(f'| {first}')
  ]


class TaijiTest(absltest.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    temporary = tempfile.TemporaryDirectory()
    cls.addClassCleanup(temporary.cleanup)
    cls.root = pathlib.Path(temporary.name)
    cls.folder = taiji_cells.write(cls.root, LATER)
    cls.sources = Sources(cls.root, taiji_cells.recipe)
    cls.result = json.loads((cls.folder / table.RESULT).read_text())

  def test_every_arm_with_its_seeds_and_rows(self):
    text = taiji.arms(self.sources)
    plan = taiji_table.plan(taiji_cells.recipe(), read=True)
    for arm in set(plan.arms) - set(LATER):
      ((_, rows, *values),) = lines(text, f'`{arm}` (')
      sampled = arm in taiji_cells.REINFORCED
      self.assertEqual(rows, '16' if sampled else '40', arm)
      mean = self.result['arms'][arm]['category_l1_acc']['mean']
      self.assertStartsWith(values[0], f'{mean:.3f} [')
    self.assertEqual(lines(text, 'floor `retriever`')[0][1], '40')

  def test_arms_that_are_not_there_are_named(self):
    text = taiji.arms(self.sources)
    gone = '`llm_direct`, `llm_direct_held`, `llm_true`, `popo_held`'
    self.assertIn(f'**Not made yet**: {gone}.', text)
    self.assertEmpty(lines(text, '`popo_held` ('))
    self.assertEmpty(lines(taiji.pairs(self.sources), '`llm_true-'))
    self.assertNotIn('llm_true-', taiji.claims(self.sources))

  def test_differences_to_the_best_look_up_and_the_retriever(self):
    text = taiji.against(self.sources)
    self.assertIn('`category_l1_acc` less `decayed_majority` |', text)
    ((_, rows, same, *values),) = lines(text, '`popo` ')
    # These rows do not tell what the retriever answers.
    self.assertEqual((rows, same, len(values)), ('16', '-', 8))
    found = self.result['against_retriever']['popo']['title_hit_rate_50']
    self.assertStartsWith(values[-1], f'{found["mean"]:+.3f} [')
    # The primary arm is not there, and the table says that it was named.
    self.assertIn('The test named before anything was trained', text)

  def test_pairs_tell_on_how_many_rows(self):
    text = taiji.pairs(self.sources)
    rows = {name: row for name, row, *_ in lines(text, '`')}
    self.assertEqual(rows['`popo-grpo_fixed`'], '16')
    self.assertEqual(rows['`popo_all-grpo_fixed_all`'], '40')
    self.assertEqual(rows['`mbr-open`'], '40')

  def test_claims_are_shares_of_the_bases_mean(self):
    ((_, _, paper, here, *_),) = lines(
      taiji.claims(self.sources), '`popo-grpo_fixed` | `category_l1_acc`'
    )
    pair = self.result['paired']['popo-grpo_fixed']['category_l1_acc']
    base = self.result['arms']['grpo_fixed']['category_l1_acc']
    self.assertEqual(paper, '+11.6%')
    self.assertEqual(here, f'{pair["mean"] / base["mean"]:+.1%}')

  def test_the_figure_has_the_rows_that_are_there(self):
    drawing = taiji.FIGURES['docs/taiji/forest.png']
    inputs = drawing.inputs(self.sources)
    self.assertLen(drawing.digest(inputs), 64)
    names = [row['name'] for row in inputs['arms']['rows']]
    self.assertNotIn('popo_held', names)
    self.assertEqual(
      {name for name in names if '*' in name},
      {f'{arm}*' for arm in taiji_cells.REINFORCED},
    )
    self.assertLen(drawing.draw(inputs).subfigs, 2)


if __name__ == '__main__':
  absltest.main()
