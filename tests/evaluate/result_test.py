import copy
import json
import pathlib
import tempfile
from unittest import mock

from absl.testing import absltest, parameterized

from taiji_jax.errors import UserError
from taiji_jax.evaluate import result as result_lib
from taiji_jax.evaluate.answers import METRICS


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
    result_lib.check(GOOD)
    result_lib.check(changed('by_user', {'seen': {}}))
    result_lib.check(changed('floors/popular/list_hit_rate_50', interval(0.1)))

  @parameterized.parameters(
    ('seeds', None, "'seeds' is missing"),
    ('seeds', [], r'seeds is \[\]'),
    ('seeds', [0.5], r'seeds is \[0.5\]'),
    ('arms/popo/ctcvr', None, 'arms.popo lacks ctcvr'),
    ('arms/popo/ctcvr', {'mean': 0.1}, 'arms.popo.ctcvr is no interval'),
    ('arms/popo/ctcvr', interval(float('nan')), 'ctcvr is no interval'),
    ('arms/sft/ctcvr', NONE | {'mean': 0.1}, 'ctcvr is no interval'),
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
    ('peak_rss_gib', 0, 'peak_rss_gib is 0'),
  )
  def test_bad(self, path: str, value: object, fault: str):
    with self.assertRaisesRegex(ValueError, fault):
      result_lib.check(changed(path, value))

  def test_every_fault_is_named(self):
    result = changed('peak_rss_gib', 0) | {'seeds': []}
    with self.assertRaisesRegex(ValueError, 'peak_rss_gib.*seeds'):
      result_lib.check(result)


class WriteTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    folder = tempfile.TemporaryDirectory()
    self.addCleanup(folder.cleanup)
    self.path = pathlib.Path(folder.name) / 'result.json'

  def test_reads_back(self):
    result_lib.write(self.path, GOOD)
    self.assertEqual(json.loads(self.path.read_text()), GOOD)
    self.assertEqual([self.path], list(self.path.parent.iterdir()))

  def test_malformed_result_leaves_the_old_file(self):
    result_lib.write(self.path, GOOD)
    with self.assertRaises(ValueError):
      result_lib.write(self.path, changed('seeds', []))
    self.assertEqual(json.loads(self.path.read_text()), GOOD)

  def test_full_disk_leaves_the_old_file(self):
    result_lib.write(self.path, GOOD)
    full = OSError(28, 'No space left on device')
    with (
      mock.patch.object(result_lib.os, 'fsync', side_effect=full),
      self.assertRaisesRegex(UserError, 'No space left.*make room'),
    ):
      result_lib.write(self.path, changed('seeds', [7]))
    self.assertEqual(json.loads(self.path.read_text()), GOOD)

  def test_no_such_directory(self):
    with self.assertRaisesRegex(UserError, 'cannot be written'):
      result_lib.write(self.path.parent / 'nowhere' / 'result.json', GOOD)


if __name__ == '__main__':
  absltest.main()
