"""What is said of a log that does not fit its recipe."""

import dataclasses
import types

from absl.testing import absltest, parameterized
import numpy as np

from taiji_jax.data import notices
from taiji_jax.data.config import DataConfig
from taiji_jax.data.tables import TableSpec
from taiji_jax.errors import UserError
from taiji_jax.types import Catalog, Log

CATALOG = Catalog(('1', '2'), ('A', 'B'), (('X',), ()))
LOG = Log(
  user_ids=('u', 'v'),
  profiles=({'age': '7'}, {'city': 'Ulm'}),
  user_e=np.int32([0, 0, 1, 1]),
  item_e=np.int32([0, 1, 0, 1]),
  time_e=np.arange(4),
  click_e=np.ones(4, bool),
  conversion_e=np.array([1, 0, 0, 0], bool),
)


def told(
  config=None, fields=('age', 'city'), catalog=CATALOG, validation=(0,), **log
):
  logs = types.SimpleNamespace(
    log=dataclasses.replace(LOG, **log),
    catalog=catalog,
    split=types.SimpleNamespace(validation=validation),
  )
  return list(notices.of(logs, config or DataConfig(), fields))


class NoticesTest(parameterized.TestCase):
  def test_nothing_to_say(self):
    self.assertEmpty(told())

  def test_no_categories(self):
    bare = dataclasses.replace(CATALOG, categories=((), ()))
    (notice,) = told(catalog=bare)
    self.assertIn('no item has a category', notice)

  @parameterized.parameters(
    ('item_sequences', 'set data.category_separator'),
    ('tables', 'data.tables.categories'),
  )
  def test_few_categories_and_what_to_set(self, source, remedy):
    few = Catalog(('1', '2', '3'), ('A', 'B', 'C'), (('X',), (), ()))
    config = DataConfig(source=source, tables=TableSpec('log.csv', 'items.csv'))
    (notice,) = told(config, catalog=few)
    self.assertIn('2 of 3 items have no category', notice)
    self.assertIn(remedy, notice)

  def test_no_validation_after_the_cut(self):
    (notice,) = told(validation=None)
    self.assertIn('data.validation_fraction=0.2 of the rows', notice)
    self.assertEmpty(told(DataConfig(validation_fraction=0), validation=None))

  def test_no_conversions(self):
    (notice,) = told(conversion_e=np.zeros(4, bool))
    self.assertIn('no event of the log is a conversion', notice)

  def test_profile_fields(self):
    (notice,) = told(fields=('age', 'gender', 'job'))
    self.assertIn('the profile fields gender, job', notice)
    self.assertIn('it has age, city', notice)

  @parameterized.parameters(('age', 'city'), ())
  def test_a_profile_of_the_history_that_nothing_shows_is_refused(self, *names):
    with self.assertRaisesRegex(
      UserError,
      "data.profile is 'history'.* none of its fields.*"
      r"set prompt.profile_fields=\('favours', 'brands', 'bought'\)",
    ):
      told(DataConfig(profile='history'), fields=names)

  def test_fields_that_a_profile_of_the_history_lacks_are_told(self):
    history = DataConfig(profile='history')
    self.assertEmpty(told(history, fields=('bought', 'favours')))
    (notice,) = told(history, fields=('age', 'bought'))
    self.assertIn("data.profile='history' makes no age, which", notice)
    self.assertIn('it makes favours, brands, bought', notice)

  def test_repeats(self):
    again = {'item_e': np.int32([0, 0, 1, 1])}
    (notice,) = told(**again)
    self.assertIn('50% of the clicks', notice)
    self.assertIn('data.consumed_once=False', notice)
    self.assertEmpty(told(DataConfig(consumed_once=False), **again))
    # What was shown twice was not clicked twice.
    seen = again | {'click_e': np.array([1, 0, 1, 0], bool)}
    self.assertEmpty(told(DataConfig(negatives=0), **seen))

  def test_real_exposures(self):
    click_e = np.array([1, 1, 1, 0], bool)
    (notice,) = told(click_e=click_e)
    self.assertIn('1 events of the log are exposures', notice)
    self.assertEmpty(told(DataConfig(negatives=0), click_e=click_e))


if __name__ == '__main__':
  absltest.main()
