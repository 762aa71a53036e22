"""What a tokenizer reads."""

from collections import Counter
import dataclasses

from absl.testing import absltest
import numpy as np

from taiji_jax.data import corpus, prompts
from taiji_jax.types import Catalog, Log

_CATALOG = Catalog(('1', '2', '3'), ('Nut', 'Bolt', 'Saw'), (('A',), (), ()))
_LOG = Log(
  user_ids=('u', 'v', 'w', 'x'),
  profiles=({'age': '7'}, {}, {}, {'age': '9'}),
  user_e=np.int32([0, 0, 1, 2, 0, 3]),
  item_e=np.int32([0, 1, 0, 0, 0, 2]),
  time_e=np.arange(6),
  click_e=np.ones(6, bool),
  conversion_e=np.ones(6, bool),
)
# User x and item 3 are of the last event alone.
_EVENTS = np.arange(6) < 5
_SHOWN = prompts.PromptConfig(profile_fields=('age',))


class LinesTest(absltest.TestCase):
  def lines(self, *profiles):
    return Counter(corpus.lines(_LOG, _CATALOG, _EVENTS, _SHOWN, *profiles))

  def test_items_by_their_events_and_profiles_by_their_users(self):
    self.assertEqual(
      self.lines(),
      {
        # ceil(4^.75) = ceil(2.83) times, once, four times each.
        'Item title: Nut; Category L1: A': 3,
        'Item title: Bolt': 1,
        'User: age 7': 4,
        # Of v and w together.
        'User: unknown': 4,
      },
    )

  def test_profiles_as_prompts_show_them(self):
    found = self.lines(({'age': '1'}, {'age': '1'}, {'age': '2'}, {}))
    self.assertEqual((found['User: age 1'], found['User: age 2']), (8, 4))
    self.assertNotIn('User: unknown', found)


class FrequentStringsTest(absltest.TestCase):
  def test_the_commonest_names_of_six_letters_and_more(self):
    catalog = dataclasses.replace(
      _CATALOG,
      titles=('Hex nuts', 'Eyebolt', 'Hacksaw'),
      categories=(('Nuts', 'Hex nuts'), ('Fasteners',), ('Fasteners',)),
    )
    found = corpus.frequent_strings(_LOG, catalog, _EVENTS, 9)
    self.assertEqual(found, ('Hex nuts', 'Eyebolt', 'Fasteners'))
    found = corpus.frequent_strings(_LOG, catalog, _EVENTS, 1)
    self.assertEqual(found, ('Hex nuts',))


if __name__ == '__main__':
  absltest.main()
