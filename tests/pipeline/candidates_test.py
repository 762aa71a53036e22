"""Lists of a run's rows: their orders, controls, and rows of no log."""

import dataclasses
import pathlib
import types

from absl.testing import absltest
import numpy as np

from taiji_jax.data.prompt_config import PromptConfig
from taiji_jax.pipeline.candidates import Candidates
from taiji_jax.products import Products
from taiji_jax.types import Rows

ITEMS = 30


def rows(*events):
  count = len(events)
  history = np.stack([np.array(events), np.full(count, -1)], 1) % ITEMS
  history[:, 1] = -1
  return Rows(
    np.array(events),
    np.arange(count, dtype=np.int32),
    np.zeros(count, np.int32),
    history.astype(np.int32),
  )


class FakeRun:
  """A retriever whose lists tell the row's event: 10 items behind it."""

  def __init__(self, root):
    self.products = Products(pathlib.Path(root))
    self.recipe = types.SimpleNamespace(
      seed=3, data=types.SimpleNamespace(consumed_once=True), pretrain=None
    )
    self.validation = None
    self.logs = types.SimpleNamespace(
      sft=rows(2, 0, 7),
      rl=rows(7),
      pretrain=rows(8),
      split=types.SimpleNamespace(evaluation=rows(5, 6)),
      catalog=range(ITEMS),
    )
    self.retriever_weights = types.SimpleNamespace(key='w')
    self.asked = 0

  def make(self, stage, name, inputs, build):
    return self.products.make(name, inputs, build)

  def retrieve(self, found, count):
    self.asked += len(found)
    first = np.maximum(found.history_rs[:, :1], 0)
    item_rc = (first + 1 + np.arange(count)) % ITEMS
    # Row 6 has a short list, row 0 none.
    item_rc[found.event_r == 6, 2:] = -1
    item_rc[found.event_r == 0] = -1
    answer_r = np.where(found.event_r == 0, -1, item_rc[:, 1])
    return types.SimpleNamespace(
      item_rc=item_rc.astype(np.int32), answer_r=answer_r.astype(np.int32)
    )


class CandidatesTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.run_ = FakeRun(self.create_tempdir())
    self.candidates = Candidates(self.run_, 3)
    self.rows = rows(5, 6, 0, 2)

  def shown(self, r, found=None, **fields):
    config = PromptConfig(**{'candidates': 3} | fields)
    return self.candidates.shown(config, found or self.rows, r)

  def test_orders(self):
    self.assertEqual(self.shown(0), [7, 6, 8])
    self.assertEqual(self.shown(0, candidate_order='likeliest'), [6, 7, 8])
    shuffled = self.shown(0, candidate_order='shuffled')
    self.assertCountEqual(shuffled, [7, 6, 8])
    self.assertEqual(shuffled, self.shown(0, candidate_order='shuffled'))
    seen = {
      tuple(np.array(self.shown(0, rows(e), candidate_order='shuffled')) - e)
      for e in (2, 5, 7)
    }
    self.assertGreater(len(seen), 1)

  def test_fewer_than_are_shown_and_none(self):
    self.assertEqual(self.shown(1), [8, 7])
    for order in ('answer_first', 'likeliest', 'shuffled'):
      self.assertEqual(self.shown(2, candidate_order=order), [])
    self.assertEqual(self.candidates.answers(self.rows).tolist(), [7, 8, -1, 4])

  def test_random_ones_are_of_the_catalogue_and_not_of_the_history(self):
    found = [
      self.shown(0, rows(e), candidate_source='random', candidates=ITEMS)
      for e in (2, 5)
    ]
    for event, items in zip((2, 5), found, strict=True):
      self.assertCountEqual(items, set(range(ITEMS)) - {event})
    self.assertNotEqual(found[0], found[1])

  def test_rows_of_the_log_are_retrieved_once(self):
    for _ in range(2):
      self.shown(0)
      # 3 of SFT, one of them of RL as well, and 2 more; none of a backbone.
      self.assertEqual(self.run_.asked, 6)
    again = Candidates(self.run_, 3)
    self.assertEqual(again.shown(PromptConfig(candidates=3), self.rows, 0),
                     [7, 6, 8])  # fmt: skip
    self.assertEqual(self.run_.asked, 6)

  def test_a_user_on_line_is_retrieved_when_asked(self):
    on_line = dataclasses.replace(rows(11), event_r=np.array([-1]))
    self.assertEqual(self.shown(0, on_line), [13, 12, 14])
    asked = self.run_.asked
    self.assertEqual(self.shown(0, on_line, candidates=1), [13])
    self.assertEqual(self.run_.asked, asked)
    nobody = dataclasses.replace(
      on_line, history_rs=np.full((1, 2), -1, np.int32)
    )
    self.assertEqual(self.shown(0, nobody), [2, 1, 3])

  def test_an_event_that_the_log_does_not_have(self):
    self.assertEqual(self.shown(0, rows(9)), [11, 10, 12])


if __name__ == '__main__':
  absltest.main()
