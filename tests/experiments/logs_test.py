"""What stages read: sources, the environment's paths, who is kept apart."""

import gzip
import json
import os
import pathlib

from absl.testing import absltest
import numpy as np

from experiments.configs.taiji import amazon_scientific_cpu
from taiji_jax.data import logs as logs_lib
from taiji_jax.errors import UserError
from taiji_jax.pipeline import recipe as recipe_lib


def recipe(**data):
  config = amazon_scientific_cpu.get_config()
  config.data.update(data)
  config.sft.examples = 12
  config.rl.opt.steps = 1
  config.rl.opt.warmup = 0
  return recipe_lib.from_config(config)


class LogsTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(self.create_tempdir())

  def sequences(self):
    """Writes 30 users who each bought 6 of 9 items."""
    rng = np.random.default_rng(0)
    items = {
      str(n): {
        'title': f'Thing number {n} of a long and winding name',
        'brand': 'AB'[n % 2],
        'categories': f'Root,L{n % 3}',
      }
      for n in range(9)
    }
    users = {
      str(u): [int(n) for n in rng.permutation(9)[:6]] for u in range(30)
    }
    (self.folder / 'x.item.json').write_text(json.dumps(items))
    (self.folder / 'x.inter.json').write_text(json.dumps(users))

  def test_a_path_out_of_the_environment(self):
    self.sequences()
    with absltest.mock.patch.dict(os.environ, HERE=str(self.folder.parent)):
      found = logs_lib.read(recipe(path=f'$HERE/{self.folder.name}'))
    self.assertLen(found.log.user_ids, 30)
    with self.assertRaisesRegex(UserError, 'NOWHERE is not set; export'):
      logs_lib.read(recipe(path='$NOWHERE/x'))

  def test_titles_are_cut_and_profiles_come_from_the_history(self):
    self.sequences()
    found = logs_lib.read(recipe(path=str(self.folder), title_words=3))
    self.assertEqual(found.catalog.titles[4], 'Thing number 4')
    rows = found.split.evaluation
    self.assertEqual(found.profile(rows, 0)['bought'], '5 items')

  def test_teacher_and_backbone_know_nothing_of_the_later_stages_users(self):
    self.sequences()
    found = logs_lib.read(recipe(path=str(self.folder)))
    trained = set(found.sft.user_r.tolist())
    for_rl = set(found.split.rl.user_r.tolist())
    self.assertFalse(trained & set(found.pretrain.user_r.tolist()))
    evidence = found.log.user_e[found.evidence_events]
    self.assertFalse((trained | set(found.rl.user_r)) & set(evidence.tolist()))
    self.assertFalse(trained & for_rl)
    self.assertNotEmpty(evidence)
    # No event of validation or test is evidence.
    held_out = [found.split.evaluation, found.split.validation]
    events = np.concatenate([rows.event_r for rows in held_out])
    self.assertFalse(found.evidence_events[events].any())

  def test_a_public_release_with_its_core(self):
    reviews = [
      {
        'user_id': f'u{u}',
        'parent_asin': f'a{(u + i) % 6}',
        'rating': 5.0,
        'timestamp': 1000 * i + u,
      }
      for u in range(8)
      for i in range(5)
    ]
    reviews.append({**reviews[0], 'user_id': 'once'})
    items = [
      {
        'parent_asin': f'a{n}',
        'title': f'Item {n}',
        'store': 'S',
        'categories': ['Root', 'One', 'Two'],
        'details': {},
      }
      for n in range(6)
    ]
    for name, rows in (('r', reviews), ('m', items)):
      with gzip.open(self.folder / f'{name}.jsonl.gz', 'wt') as file:
        file.writelines(json.dumps(row) + '\n' for row in rows)
    found = logs_lib.read(
      recipe(
        source='amazon_reviews',
        path=str(self.folder / 'r.jsonl.gz'),
        metadata=str(self.folder / 'm.jsonl.gz'),
        core=4,
      )
    )
    self.assertNotIn('once', found.log.user_ids)
    self.assertLen(found.log, 40)
    self.assertEqual(found.catalog.categories[0], ('One', 'Two'))


if __name__ == '__main__':
  absltest.main()
