"""What is said of a log that does not fit its recipe."""

import dataclasses
import types

from absl.testing import absltest, parameterized
import numpy as np

from taiji_jax.data import notices
from taiji_jax.data.config import DataConfig
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


def told(config=None, fields=('age', 'city'), catalog=CATALOG, **log):
  logs = types.SimpleNamespace(
    log=dataclasses.replace(LOG, **log), catalog=catalog
  )
  return list(notices.of(logs, config or DataConfig(), fields))


class NoticesTest(parameterized.TestCase):
  def test_nothing_to_say(self):
    self.assertEmpty(told())

  def test_no_categories(self):
    bare = dataclasses.replace(CATALOG, categories=((), ()))
    (notice,) = told(catalog=bare)
    self.assertIn('no item has a category', notice)

  def test_no_conversions(self):
    (notice,) = told(conversion_e=np.zeros(4, bool))
    self.assertIn('no event of the log is a conversion', notice)

  def test_profile_fields(self):
    (notice,) = told(fields=('age', 'gender', 'job'))
    self.assertIn('the profile fields gender, job', notice)
    self.assertIn('it has age, city', notice)
    self.assertEmpty(told(DataConfig(profile='history'), fields=('gender',)))

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
