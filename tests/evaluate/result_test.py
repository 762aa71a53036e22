import copy
import json
import pathlib
import tempfile
from unittest import mock

from absl.testing import absltest, parameterized

from taiji_jax import files
from taiji_jax.errors import UserError
from taiji_jax.evaluate import answers
from taiji_jax.evaluate import result as result_lib
from taiji_jax.evaluate.table import Table

METRICS = ('reward_semantic', 'reward_id', *answers.METRICS)
TABLE = Table(
  'popo',
  'Before and after',
  METRICS,
  METRICS,
  (('popo', 'sft'),),
  ('reward_semantic', 'reward_id'),
  ('popo', 'sft'),
)


def interval(mean: float) -> dict[str, float]:
  return {'mean': mean, 'low': mean - 0.1, 'high': mean + 0.1}


NONE = {'mean': None, 'low': None, 'high': None}
GOOD = {
  'arms': {
    'sft': dict.fromkeys(METRICS, interval(0.5)),
    'popo': dict.fromkeys(METRICS, interval(0.6)),
  },
  'paired': {'popo-sft': dict.fromkeys(METRICS, interval(0.1))},
  'floors': {'popular': dict.fromkeys(METRICS, NONE)},
  'seconds': {'sft': 12.5, 'rl': 30},
  'peak_rss_gib': 2.5,
  'seeds': [0],
}


def changed(path: str, value: object) -> dict:
  """Returns GOOD with the value at 'a/b/c' replaced; None removes it."""
  result = copy.deepcopy(GOOD)
  *parents, last = path.split('/')
  place = result
  for key in parents:
    place = place[key]
  if value is None:
    del place[last]
  else:
    place[last] = value
  return result


class CheckTest(parameterized.TestCase):
  def test_good(self):
    result_lib.check(GOOD, TABLE)
    result_lib.check(changed('groups', {'seen': {}}), TABLE)
    # Of one user there is a mean alone.
    result_lib.check(changed('arms/sft/ctcvr', NONE | {'mean': 0.1}), TABLE)
    result_lib.check(
      changed('against_best', {'sft': {'ctcvr': interval(0.1)}}), TABLE
    )
    result_lib.check(
      changed('floors/popular/list_hit_rate_50', interval(0.1)), TABLE
    )

  @parameterized.parameters(
    ('seeds', None, "'seeds' is missing"),
    ('seeds', [], r'seeds is \[\]'),
    ('seeds', [0.5], r'seeds is \[0.5\]'),
    ('arms/popo/ctcvr', None, 'arms.popo lacks ctcvr'),
    ('arms/popo/ctcvr', {'mean': 0.1}, 'arms.popo.ctcvr is no interval'),
    ('arms/popo/ctcvr', interval(float('nan')), 'ctcvr is no interval'),
    ('arms/sft/ctcvr', NONE | {'low': 0.1}, 'ctcvr is no interval'),
    (
      'arms/sft/ctcvr',
      {'mean': 0.7, 'low': 0.5, 'high': 0.6},
      'ctcvr is no interval',
    ),
    ('against_best', {'x': {}}, "against_best has 'x', which is no arm"),
    (
      'against_retriever',
      {'sft': {'ctcvr': 0.5}},
      'against_retriever.sft.ctcvr is no interval',
    ),
    (
      'groups',
      {'seen': {'arms': {'sft': {'ctcvr': None}}}},
      'groups.seen.arms.sft.ctcvr is no interval',
    ),
    (
      'arms/sft/ctcvr',
      {'mean': 0.5, 'low': 0.6, 'high': 0.4},
      'ctcvr is no interval',
    ),
    (
      'floors/popular/reward_id',
      0.5,
      'floors.popular.reward_id is no interval',
    ),
    ('paired/popo-sft', None, "'popo-sft' is missing"),
    ('paired/popo-grpo', {}, "'popo-grpo' does not name two of the arms"),
    ('paired/sft-sft', {}, "'sft-sft' does not name two of the arms"),
    ('seconds/rl', -1, 'seconds.rl is -1'),
    ('peak_rss_gib', -1, 'peak_rss_gib is -1'),
  )
  def test_bad(self, path: str, value: object, fault: str):
    with self.assertRaisesRegex(ValueError, fault):
      result_lib.check(changed(path, value), TABLE)

  def test_every_fault_is_named(self):
    result = changed('peak_rss_gib', -1) | {'seeds': []}
    with self.assertRaisesRegex(ValueError, 'peak_rss_gib.*seeds'):
      result_lib.check(result, TABLE)


class WriteTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    folder = tempfile.TemporaryDirectory()
    self.addCleanup(folder.cleanup)
    self.path = pathlib.Path(folder.name) / 'result.json'

  def test_reads_back(self):
    result_lib.write(self.path, GOOD, TABLE)
    self.assertEqual(json.loads(self.path.read_text()), GOOD)
    self.assertEqual([self.path], list(self.path.parent.iterdir()))

  def test_malformed_result_leaves_the_old_file(self):
    result_lib.write(self.path, GOOD, TABLE)
    with self.assertRaises(ValueError):
      result_lib.write(self.path, changed('seeds', []), TABLE)
    self.assertEqual(json.loads(self.path.read_text()), GOOD)

  def test_full_disk_leaves_the_old_file(self):
    result_lib.write(self.path, GOOD, TABLE)
    full = OSError(28, 'No space left on device')
    with (
      mock.patch.object(files.os, 'fsync', side_effect=full),
      self.assertRaisesRegex(UserError, 'No space left.*free some space'),
    ):
      result_lib.write(self.path, changed('seeds', [7]), TABLE)
    self.assertEqual(json.loads(self.path.read_text()), GOOD)

  def test_an_interval_is_a_line(self):
    result_lib.write(self.path, GOOD, TABLE)
    line = '\n   "ctcvr": {"mean": 0.5, "low": 0.4, "high": 0.6}'
    self.assertIn(line, self.path.read_text())

  def test_no_such_directory(self):
    with self.assertRaisesRegex(UserError, 'cannot be written'):
      result_lib.write(
        self.path.parent / 'nowhere' / 'result.json', GOOD, TABLE
      )


if __name__ == '__main__':
  absltest.main()
