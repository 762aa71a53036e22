"""Both towers of a small made log, trained once for all tests."""

import pathlib
import tempfile

from absl.testing import absltest
import jax
import numpy as np

from taiji_jax import metrics
from taiji_jax.data import splits
from taiji_jax.data.config import DataConfig
from taiji_jax.data.logs import Logs
from taiji_jax.errors import UserError
from taiji_jax.modules.weights import tree
from taiji_jax.rank import conversion_heads
from taiji_jax.rank.config import TowerConfig
from taiji_jax.rank.ranker import Ranker
from taiji_jax.sharding import MeshConfig
from taiji_jax.types import Catalog, Log

USERS, ITEMS, EACH = 60, 24, 8
DATA = DataConfig(history=4, negatives=2, miss=0.25, rl_fraction=0.2)
CONFIG = TowerConfig(
  width=8, batch=32, epochs=25, judge_batch=64, judge_epochs=4, lr=1e-2
)


def make_logs(conversion=None, users=USERS):
  """Users take items of their own half, by chance; odd items convert."""
  rng = np.random.default_rng(0)
  half_u = np.arange(users) % 2
  item_ue = np.stack([
    rng.choice(ITEMS // 2, EACH, replace=False) * 2 + half for half in half_u
  ])  # fmt: skip
  # The half is the item's parity, a category; conversions are by thirds.
  item_e = item_ue.T.reshape(-1).astype(np.int32)
  converts = item_e % 3 == 0 if conversion is None else conversion
  log = Log(
    tuple(map(str, range(users))),
    ({},) * users,
    np.tile(np.arange(users, dtype=np.int32), EACH),
    item_e,
    np.arange(users * EACH),
    np.ones(users * EACH, bool),
    np.broadcast_to(converts, item_e.shape),
  )
  names = tuple(map(str, range(ITEMS)))
  catalog = Catalog(names, names, tuple((f'half {n % 2}',) for n in range(24)))
  split = splits.leave_one_out(log, history=4, rl_fraction=0.2)
  return Logs(log, catalog, split, split.train, split.rl, 'made')


class RankerTest(absltest.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.logs = make_logs()
    cls.ranker = Ranker(cls.logs, DATA, CONFIG, seed=0)
    folder = tempfile.TemporaryDirectory()
    cls.addClassCleanup(folder.cleanup)
    cls.folder = pathlib.Path(folder.name)
    cls.params, cls.seconds = cls.ranker.fit(
      MeshConfig().make(),
      cls.folder / 'scratch',
      metrics.Writer(cls.folder),
    )
    cls.rows = cls.logs.split.validation

  def test_towers_share_no_user_and_rewards_know_none_that_rl_reads(self):
    reward, judge = (
      set(self.logs.log.user_e[events].tolist())
      for events in (self.ranker.reward.events, self.ranker.judge.events)
    )
    self.assertTrue(reward.isdisjoint(judge))
    self.assertTrue(reward.isdisjoint(self.logs.rl.user_r.tolist()))
    self.assertTrue(judge.issuperset(self.logs.rl.user_r.tolist()))

  def test_reward_is_informative(self):
    found = self.ranker.informative(self.params, self.rows)
    found.refuse()
    self.assertGreater(found.truth, found.popular)
    # A tower that knows nothing leaves rareness alone, which is refused.
    before = jax.tree.map(np.zeros_like, self.params)
    with self.assertRaisesRegex(UserError, 'require_informative_reward'):
      self.ranker.informative(before, self.rows).refuse()

  def test_table_equals_values(self):
    rl = self.logs.rl
    table = self.ranker.table(self.params, rl)
    values = self.ranker.values(self.params, rl)
    self.assertEqual(table.reward_rn.shape, (len(rl), ITEMS))
    row, item = np.arange(len(rl)), rl.target_r
    np.testing.assert_array_equal(
      table.reward(row, item), values.reward(row, item)
    )
    self.assertEqual(float(values.reward(np.array(0), np.array(-1))), 0.25)
    self.assertEqual(float(values.ctcvr(np.array(0), np.array(-1))), 0.0)
    rate_r = values.ctcvr(row, item)
    self.assertTrue(((rate_r > 0) & (rate_r < 1)).all())

  def test_what_was_read_is_lowest(self):
    rl = self.logs.rl
    table = self.ranker.table(self.params, rl)
    for row in range(len(rl)):
      read = rl.history_rs[row][rl.history_rs[row] >= 0]
      lowest = (len(read) - 1) / 2 / (ITEMS - 1)
      np.testing.assert_allclose(table.reward_rn[row, read], lowest, rtol=1e-5)

  def test_judge_and_reward_are_different_towers(self):
    values = self.ranker.values(self.params, self.rows)
    row = np.arange(len(self.rows))[:, None]
    reward_rn = values.reward(row, np.arange(ITEMS))
    rate_rn = values.ctcvr(row, np.arange(ITEMS))
    self.assertFalse(
      np.array_equal(np.argmax(reward_rn, -1), np.argmax(rate_rn, -1))
    )

  def test_parameters_go_through_a_file(self):
    path = self.folder / 'tower.safetensors'
    tree.save(path, self.params)
    jax.tree.map(
      np.testing.assert_array_equal, self.ranker.load(path), self.params
    )

  def test_reports(self):
    report = self.ranker.report(self.params)
    self.assertEqual(list(report), ['all', 'seen', 'unseen'])
    self.assertGreater(report['all']['click']['auc'], 0.6)
    ranking = self.ranker.ranking(
      self.params,
      {'validation': self.rows},
      {'validation': {'own': self.rows.target_r}},
    )['validation']
    self.assertEqual(ranking['r_id']['own'], ranking['r_id']['truth'])
    heads = self.ranker.conversion_heads(self.params)
    self.assertEqual(heads['examples'], 2 * USERS)
    lines = list(conversion_heads.table_rows(heads))
    self.assertLen(lines, 5)
    self.assertLen(lines[0], len(conversion_heads.HEADER))
    self.assertEmpty(list(conversion_heads.table_rows({})))
    for tower in ('reward', 'judge'):
      self.assertGreater(heads[tower]['head']['auc'], 0.9)
      self.assertGreater(heads[tower]['item_mean']['auc'], 0.9)


class EdgeTest(absltest.TestCase):
  def test_no_conversion_and_fewer_clicks_than_a_batch(self):
    config = TowerConfig(width=2, batch=10**6, epochs=1)
    logs = make_logs(conversion=False, users=20)
    ranker = Ranker(logs, DATA, config, seed=0)
    folder = pathlib.Path(self.create_tempdir().full_path)
    params, _ = ranker.reward.fit(
      MeshConfig().make(), folder / 'scratch', metrics.Writer(folder)
    )
    params = {'reward': params, 'judge': None}
    self.assertEqual(ranker.conversion_heads(params), {})
    reward_rn = ranker.table(params, logs.split.validation).reward_rn
    np.testing.assert_allclose(reward_rn.mean(-1), 0.5, rtol=1e-5)

  def test_one_click_is_too_few(self):
    logs = make_logs(users=20)
    one = np.zeros(len(logs.log), bool)
    one[0] = True
    ranker = Ranker(logs, DATA, CONFIG, seed=0)
    ranker.reward.events = one
    with self.assertRaisesRegex(UserError, 'has 1 click to learn from'):
      ranker.reward.fit(MeshConfig().make(), None, None)


if __name__ == '__main__':
  absltest.main()
