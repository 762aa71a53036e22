"""Packed batches and row batches: nothing lost, resumable, by seed."""

import json

from absl.testing import absltest, parameterized
import numpy as np

from taiji_jax.data import batches as sft
from taiji_jax.errors import UserError


def _examples(count: int) -> list[sft.Example]:
  rng = np.random.default_rng(0)
  # Tokens of example i are 100 i + 1, ...: each says where it belongs.
  found = []
  for i in range(count):
    size = int(rng.integers(2, 12))
    tokens = list(range(100 * i + 1, 100 * i + 1 + size))
    split = int(rng.integers(1, size))
    found.append(sft.Example(tokens[:split], tokens[split:]))
  return found


class PackedTest(parameterized.TestCase):
  def _batches(self, examples, count, seed=3, **changes):
    arguments = {'batch': 4, 'length': 24} | changes
    batches = sft.packed_batches(examples, seed=seed, **arguments)
    return batches, [next(batches) for _ in range(count)]

  def test_every_segment_is_one_example(self):
    examples = _examples(30)
    _, batches = self._batches(examples, 20, pad_id=7)
    taken = []
    for batch in batches:
      for name, dtype in (
        ('tokens_bt', np.int32),
        ('segment_bt', np.int32),
        ('position_bt', np.int32),
        ('loss_mask_bt', bool),
      ):
        self.assertEqual(batch[name].shape, (4, 24))
        self.assertEqual(batch[name].dtype, dtype)
      empty = batch['segment_bt'] == 0
      self.assertTrue((batch['tokens_bt'][empty] == 7).all())
      self.assertFalse(batch['loss_mask_bt'][empty].any())
      for b in range(4):
        for segment in range(1, batch['segment_bt'][b].max() + 1):
          at = batch['segment_bt'][b] == segment
          tokens = batch['tokens_bt'][b][at]
          number = int(tokens[0]) // 100
          example = examples[number]
          taken.append(number)
          np.testing.assert_array_equal(
            tokens, [*example.prompt, *example.completion]
          )
          np.testing.assert_array_equal(
            batch['position_bt'][b][at], np.arange(len(example))
          )
          np.testing.assert_array_equal(
            tokens[batch['loss_mask_bt'][b][at]], example.completion
          )
    counts = np.bincount(taken, minlength=30)
    self.assertGreater(counts.min(), 1)
    # At most the passes that batches cut at both ends differ.
    self.assertLessEqual(counts.max() - counts.min(), 2)

  def test_packing_fills_rows(self):
    _, batches = self._batches(_examples(200), 20)
    filled = np.mean([b['segment_bt'] > 0 for b in batches])
    self.assertGreater(filled, 0.75)

  @parameterized.parameters(1, 5, 13)
  def test_a_saved_state_goes_on_as_if_uninterrupted(self, stop):
    examples = _examples(30)
    batches, _ = self._batches(examples, stop)
    state = json.loads(json.dumps(batches.get_state()))
    expected = [next(batches) for _ in range(10)]
    again, _ = self._batches(examples, 2)
    again.set_state(state)
    for batch in expected:
      found = next(again)
      for name, value in batch.items():
        np.testing.assert_array_equal(found[name], value)

  def test_order_is_by_seed_and_changes_every_pass(self):
    examples = _examples(30)
    first, same, other = (
      self._batches(examples, 3, seed=s)[1] for s in (0, 0, 1)
    )
    np.testing.assert_array_equal(first[2]['tokens_bt'], same[2]['tokens_bt'])
    self.assertFalse(
      np.array_equal(first[0]['tokens_bt'], other[0]['tokens_bt'])
    )

  def test_refuses_none_and_too_long(self):
    with self.assertRaisesRegex(UserError, 'no examples'):
      self._batches([], 1)
    with self.assertRaisesRegex(UserError, 'Example 1 has 30 tokens'):
      long = sft.Example(range(20), range(10))
      self._batches([sft.Example([1], [2]), long], 1)


class RowsTest(parameterized.TestCase):
  def test_each_pass_takes_every_row_once_in_a_new_order(self):
    rows = sft.row_batches(12, batch=4, seed=1)
    passes = [np.concatenate([next(rows) for _ in range(3)]) for _ in range(2)]
    for one in passes:
      self.assertEqual(one.dtype, np.int64)
      np.testing.assert_array_equal(np.sort(one), np.arange(12))
    self.assertFalse(np.array_equal(*passes))

  def test_a_saved_state_goes_on_as_if_uninterrupted(self):
    rows = sft.row_batches(10, batch=4, seed=1)
    for _ in range(3):
      next(rows)
    state = json.loads(json.dumps(rows.get_state()))
    expected = [next(rows) for _ in range(5)]
    again = sft.row_batches(10, batch=4, seed=1)
    again.set_state(state)
    np.testing.assert_array_equal([next(again) for _ in range(5)], expected)

  def test_a_batch_larger_than_the_rows_spans_passes(self):
    found = next(sft.row_batches(3, batch=6, seed=0))
    np.testing.assert_array_equal(np.bincount(found), [2, 2, 2])

  def test_refuses_no_rows(self):
    with self.assertRaises(UserError):
      sft.row_batches(0, batch=1, seed=0)


if __name__ == '__main__':
  absltest.main()
