"""What stages read: sources, the environment's paths, who is kept apart."""

import gzip
import json
import os
import pathlib

from absl.testing import absltest
import numpy as np

from taiji_jax.data import logs as logs_lib
from taiji_jax.data.config import DataConfig
from taiji_jax.errors import UserError


def read(**data):
  config = {
    'source': 'item_sequences',
    'split': 'leave_one_out',
    'profile': 'history',
    'title_words': 5,
    'evaluation_rows': 1000,
    **data,
  }
  return logs_lib.read(DataConfig(**config), seed=0, sft_rows=12, rl_rows=8)


class DataConfigTest(absltest.TestCase):
  def test_validation_fraction_is_checked(self):
    for value in (-0.1, 1.0):
      with self.assertRaisesRegex(UserError, 'data.validation_fraction'):
        DataConfig(validation_fraction=value)


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
      found = read(path=f'$HERE/{self.folder.name}')
    self.assertLen(found.log.user_ids, 30)
    with self.assertRaisesRegex(UserError, 'NOWHERE is not set; export'):
      read(path='$NOWHERE/x')

  def test_separator_and_drop_reach_the_reader(self):
    self.sequences()
    file = self.folder / 'x.item.json'
    items = json.loads(file.read_text())
    for item in items.values():
      item['categories'] = 'Root, Office & School, Pens'
    items['3']['title'] = ''
    file.write_text(json.dumps(items))
    with self.assertRaisesRegex(UserError, "item '3' has no title"):
      read(path=str(self.folder))
    found = read(path=str(self.folder), category_separator=', ', drop=True)
    self.assertEqual(
      set(found.catalog.categories), {('Office & School', 'Pens')}
    )
    self.assertLen(found.catalog, 8)

  def test_a_separator_for_another_source_is_refused(self):
    with self.assertRaisesRegex(UserError, 'data.tables.category_separator'):
      DataConfig(category_separator=', ')

  def test_titles_are_cut_and_profiles_come_from_the_history(self):
    self.sequences()
    found = read(path=str(self.folder), title_words=3)
    self.assertEqual(found.catalog.titles[4], 'Thing number 4')
    rows = found.split.evaluation
    self.assertEqual(found.profile(rows, 0)['bought'], '5 items')

  def test_profiles_of_users_are_those_after_their_training_events(self):
    self.sequences()
    for size in (2, 50):
      found = read(path=str(self.folder), history=size)
      # A validation row knows the four training items, newest first.
      rows = found.split.validation
      self.assertLen(rows, 30)
      for r in range(len(rows)):
        self.assertEqual(found.profiles[rows.user_r[r]], found.profile(rows, r))
    given = read(path=str(self.folder), profile='log')
    self.assertEqual(given.profiles, given.log.profiles)

  def test_held_out_rows_are_of_users_whom_the_backbone_has_not_read(self):
    self.sequences()
    found = read(path=str(self.folder))
    read_by = set(found.pretrain.user_r.tolist())
    held_out = set(found.held_out.user_r.tolist())
    self.assertNotEmpty(read_by)
    self.assertEqual(held_out, set(range(30)) - read_by)
    validation = set(found.split.validation.event_r.tolist())
    self.assertContainsSubset(found.held_out.event_r.tolist(), validation)

  def test_a_split_by_time_has_held_out_rows_too(self):
    self.sequences()
    path = str(self.folder)
    # Six purchases each: the first four are before the cut, the fifth of all
    # users is for validation.
    found = read(path=path, split='time', validation_fraction=0.6)
    self.assertEqual(set(found.log.time_e[found.split.validation.event_r]), {4})
    self.assertNotEmpty(found.held_out.event_r)
    read_by = set(found.pretrain.user_r.tolist())
    self.assertFalse(read_by & set(found.held_out.user_r.tolist()))
    found = read(path=path, split='time', validation_fraction=0.0)
    self.assertIsNone(found.split.validation)
    self.assertIsNone(found.held_out)

  def test_teacher_and_backbone_know_nothing_of_the_later_stages_users(self):
    self.sequences()
    found = read(path=str(self.folder))
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

  def test_whole_users_and_no_row_is_idle(self):
    self.sequences()
    found = read(path=str(self.folder), rl_fraction=0.9)
    # Three training rows a user: 12 rows are four users, 8 hold two.
    self.assertLen(found.sft, 12)
    self.assertLen(found.rl, 6)
    self.assertEqual(found.rl.event_r.tolist(), found.split.rl.event_r.tolist())
    self._every_training_row_is_read_once(found)
    found = read(path=str(self.folder), rl_fraction=0.04)
    self.assertLen(found.rl, 3)
    self._every_training_row_is_read_once(found)

  def test_one_user_with_more_rows_than_wanted_gives_the_first_of_them(self):
    self.sequences()
    config = DataConfig(
      source='item_sequences',
      path=str(self.folder),
      split='leave_one_out',
      profile='history',
    )
    found = logs_lib.read(config, seed=0, sft_rows=2, rl_rows=1)
    for rows, count in ((found.sft, 2), (found.rl, 1)):
      # Three training rows a user, from the second item on.
      times = found.log.time_e[rows.event_r]
      self.assertEqual(times.tolist(), [1, 2, 3][:count])
      self.assertLen(set(rows.user_r.tolist()), 1)
      # Their other rows are for nobody else.
      self.assertNotIn(rows.user_r[0], found.pretrain.user_r)
    self.assertLen(found.pretrain, 3 * 28)
    every = logs_lib.read(config, seed=0, sft_rows=1000, rl_rows=1000)
    self.assertLen(every.rl, 3 * 3)
    self.assertLen(every.sft, 3 * 27)
    self.assertEmpty(every.pretrain.event_r)

  def test_after_a_cut_in_time_rows_of_the_latest_part_are_sampled(self):
    self.sequences()
    found = read(path=str(self.folder), split='time', rl_fraction=0.4)
    late = found.split.rl
    self.assertLen(found.rl, 8)
    self.assertContainsSubset(found.rl.event_r.tolist(), late.event_r.tolist())
    users = set(found.rl.user_r.tolist())
    self.assertGreater(len(users), 4)
    self.assertEqual(set(np.flatnonzero(found.rl_users).tolist()), users)
    # Supervised training reads all earlier rows of its users.
    own = np.isin(found.split.train.user_r, found.sft.user_r)
    self.assertLen(found.sft, own.sum())
    self.assertLessEqual(len(found.sft), 12)

  def test_amazon_no_row_is_idle(self):
    folder = pathlib.Path(os.environ.get('TAIJI_DATA', ''), 'amazon_scientific')
    if not folder.is_dir():
      self.skipTest('TAIJI_DATA has no amazon_scientific')
    config = DataConfig(
      source='item_sequences',
      path=str(folder),
      split='leave_one_out',
      profile='history',
      title_words=5,
      evaluation_rows=0,
    )
    found = logs_lib.read(config, seed=0, sft_rows=2000, rl_rows=320)
    self._every_training_row_is_read_once(found)
    self.assertBetween(len(found.sft), 1900, 2000)
    self.assertBetween(len(found.rl), 280, 320)
    self.assertLen(found.split.evaluation, 8317)

  def _every_training_row_is_read_once(self, found):
    log, split = found.log, found.split
    held_out = np.concatenate(
      [split.validation.event_r, split.evaluation.event_r]
    )
    first_u = np.full(len(log.user_ids), len(log))
    np.minimum.at(first_u, log.user_e, np.arange(len(log)))
    wanted = np.setdiff1d(np.arange(len(log)), [*held_out, *first_u])
    parts = [found.sft, found.rl, found.pretrain]
    events = np.concatenate([rows.event_r for rows in parts])
    np.testing.assert_array_equal(np.sort(events), wanted)
    users = [set(rows.user_r.tolist()) for rows in parts]
    self.assertEqual(sum(map(len, users)), len(users[0] | users[1] | users[2]))
    self.assertEqual(set(np.flatnonzero(found.rl_users).tolist()), users[1])
    self.assertFalse(
      set(log.user_e[found.evidence_events]) & (users[0] | users[1])
    )

  def test_one_user_one_item_no_categories_and_one_time(self):
    def files(items, users):
      bare = {str(n): {'title': 'Thing'} for n in range(items)}
      sequences = {str(u): [n % items for n in range(6)] for u in range(users)}
      (self.folder / 'x.item.json').write_text(json.dumps(bare))
      (self.folder / 'x.inter.json').write_text(json.dumps(sequences))
      return str(self.folder)

    found = read(path=files(1, 2))
    self.assertEqual(found.catalog.categories, ((),))
    self.assertLen(found.sft, 3)
    self.assertLen(found.rl, 3)
    self.assertEmpty(found.pretrain.event_r)
    with self.assertRaisesRegex(UserError, 'leave-one-out split: 1'):
      read(path=files(3, 1))
    found = read(path=files(3, 1), split='time', title_words=1)
    self.assertEqual(found.catalog.titles, ('Thing',) * 3)
    self.assertEqual(found.rl_users.tolist(), [True])
    self.assertEmpty(found.pretrain.event_r)
    # Every user bought one thing: nothing is known before it.
    one = {str(u): [u % 3] for u in range(9)}
    (self.folder / 'x.inter.json').write_text(json.dumps(one))
    with self.assertRaisesRegex(UserError, 'leave-one-out split: 0'):
      read(path=str(self.folder))
    with self.assertRaisesRegex(UserError, 'at time 0, the first of all'):
      read(path=str(self.folder), split='time')

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
    found = read(
      source='amazon_reviews',
      path=str(self.folder / 'r.jsonl.gz'),
      metadata=str(self.folder / 'm.jsonl.gz'),
      core=4,
    )
    self.assertNotIn('once', found.log.user_ids)
    self.assertLen(found.log, 40)
    self.assertEqual(found.catalog.categories[0], ('One', 'Two'))


if __name__ == '__main__':
  absltest.main()
