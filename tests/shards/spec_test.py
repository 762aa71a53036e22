"""The records of a block: where each belongs, in order, each once."""

import dataclasses
import pathlib

from absl.testing import absltest, parameterized

from taiji_jax.shards.codec import Codec
from taiji_jax.shards.spec import JobSpec


@dataclasses.dataclass(frozen=True)
class Record:
  row: int
  sample: int


CODEC = Codec(Record)


def lines(*places):
  """What the block of rows 4 to 7 holds, of records at these places."""
  spec = JobSpec(pathlib.Path('nowhere'), 10, 4, codec=CODEC, prefix='a')
  records = [Record(*place) for place in places]
  found = list(spec.lines(iter(records), spec.block(1)))
  return [CODEC.decode(text) for text, _ in found]


class SpecTest(parameterized.TestCase):
  def test_in_order(self):
    places = [(4, 0), (4, 1), (5, 0), (7, 2), (7, 9)]
    self.assertEqual(lines(*places), [Record(*place) for place in places])
    self.assertEqual(lines((4, 0)), [Record(4, 0)])
    self.assertEqual(lines(), [])

  @parameterized.parameters(
    ([(4, 0), (4, 0)],),
    ([(4, 1), (4, 0)],),
    ([(5, 0), (4, 1)],),
    ([(4, 0), (5, 0), (5, 0)],),
    ([(4, 0), (5, 0), (4, 0)],),
    ([(3, 0)],),
    ([(8, 0)],),
    ([(4, -1)],),
  )
  def test_out_of_order(self, places):
    with self.assertRaisesRegex(ValueError, 'each once'):
      lines(*places)

  def test_the_error_says_where(self):
    with self.assertRaisesRegex(
      ValueError,
      r'Record \(4, 0\) came after \(4, 1\) in the block range',
    ):
      lines((4, 1), (4, 0))

  def test_blocks(self):
    spec = JobSpec(pathlib.Path('nowhere'), 9, 4, codec=CODEC, prefix='a')
    self.assertEqual(spec.blocks, 3)
    self.assertEqual(
      [spec.block(i) for i in range(3)], [range(4), range(4, 8), range(8, 9)]
    )
    self.assertEqual(spec.file(2), 'a-00002-of-00003.array_record')


if __name__ == '__main__':
  absltest.main()
