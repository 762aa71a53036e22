"""MiniOneRec's split against a transcription of it in plain Python."""

from absl.testing import absltest, parameterized
import numpy as np

from taiji_jax.data import global_split
from taiji_jax.errors import UserError
from taiji_jax.types import Catalog, Log


def made(seed, users=12, items=10, events=220, times=60):
  """Returns a log with ties in time, repeats, exposures, untitled items."""
  rng = np.random.default_rng(seed)
  titles = [f'item {n}' for n in range(items)]
  titles[2], titles[5] = '', '<b>item</b>'
  catalog = Catalog(
    tuple(f'i{n}' for n in range(items)),
    tuple(titles),
    ((), ('A', 'B')) * (items // 2),
    ('', 'Acme') * (items // 2),
  )
  log = Log(
    tuple(f'u{u}' for u in range(users)),
    ({},) * users,
    (users * rng.random(events) ** 2).astype(np.int32),
    (items * rng.random(events) ** 2).astype(np.int32),
    np.sort(rng.integers(0, times, events)),
    rng.random(events) < 0.9,
    np.zeros(events, bool),
  )
  return log, catalog


def transcribed(log, catalog, core, history):
  """Returns (ids, three lists of (user, history, target)), by loops."""
  events = [
    (log.user_ids[u], catalog.item_ids[n], int(t))
    for u, n, t, click in zip(
      log.user_e, log.item_e, log.time_e, log.click_e, strict=True
    )
    if click and catalog.titles[n] not in ('', '<b>item</b>')
  ]
  while True:
    users, items = {}, {}
    for user, item, _ in events:
      users[user] = users.get(user, 0) + 1
      items[item] = items.get(item, 0) + 1
    left = [e for e in events if users[e[0]] >= core and items[e[1]] >= core]
    if len(left) == len(events):
      break
    events = left
  samples = []
  for user in log.user_ids:
    own = sorted((e for e in events if e[0] == user), key=lambda e: e[2])
    taken = [item for _, item, _ in own]
    for i in range(1, len(own)):
      start = max(i - history, 0)
      samples.append((user, taken[start:i], taken[i], own[i][2]))
  samples.sort(key=lambda sample: sample[3])
  size = len(samples)
  parts = (
    samples[: int(size * 0.8)],
    samples[int(size * 0.8) : int(size * 0.9)],
    samples[int(size * 0.9) :],
  )
  left_ids = [i for i in catalog.item_ids if i in {e[1] for e in events}]
  return left_ids, [[sample[:3] for sample in part] for part in parts]


def told(data, rows):
  """Returns (user, history, target), items by their ids."""
  ids = data.catalog.ids
  return [
    (user, [ids[n] for n in rows.history(b)], ids[rows.target_b[b]])
    for b, user in enumerate(rows.user)
  ]


class GlobalSplitTest(parameterized.TestCase):
  @parameterized.product(
    seed=tuple(range(6)), core=(1, 3, 5), history=(2, 10), times=(8, 10_000)
  )
  def test_equals_the_transcription(self, seed, core, history, times):
    log, catalog = made(seed, times=times)
    ids, parts = transcribed(log, catalog, core, history)
    data = global_split.global_split(log, catalog, core=core, history=history)
    self.assertEqual(list(data.catalog.ids), ids)
    for rows, part in zip(
      (data.train, data.valid, data.test), parts, strict=True
    ):
      self.assertEqual(told(data, rows), part)
    # Nobody says how many an official file would have.
    self.assertIsNone(data.share)

  def test_texts_and_brands_stay_with_their_items(self):
    log, catalog = made(0)
    found = global_split.global_split(log, catalog, core=5).catalog
    n = found.index['i1']
    self.assertEqual(found.titles[n], 'item 1')
    self.assertEqual(found.texts[n], 'item 1 A B')
    self.assertEqual(found.brands[n], 'Acme')
    self.assertNotIn('i2', found.ids)
    self.assertNotIn('i5', found.ids)

  def test_no_later_target_in_an_earlier_part(self):
    log, catalog = made(1, times=10_000)
    data = global_split.global_split(log, catalog, core=1, history=10)
    sizes = [len(rows) for rows in (data.train, data.valid, data.test)]
    total = sum(sizes)
    self.assertEqual(
      sizes[:2], [int(total * 0.8), int(total * 0.9) - int(total * 0.8)]
    )

  def test_refuses_what_is_too_short(self):
    log, catalog = made(0)
    with self.assertRaisesRegex(UserError, 'the 99-core .* is empty'):
      global_split.global_split(log, catalog, core=99)
    log, catalog = made(0, users=1, events=3)
    with self.assertRaisesRegex(UserError, 'part has no row; give a log'):
      global_split.global_split(log, catalog, core=1)


class LeaveOneOutTest(parameterized.TestCase):
  @parameterized.parameters(range(5))
  def test_equals_loops(self, seed):
    log, catalog = made(seed, events=90)
    parts = [], [], []
    for u, user in enumerate(log.user_ids):
      own = [
        catalog.item_ids[n]
        for n, v, click in zip(log.item_e, log.user_e, log.click_e, strict=True)
        if v == u and click
      ]
      for i in range(1, len(own)):
        part = {len(own) - 1: 2, len(own) - 2: 1}.get(i, 0)
        parts[part].append((user, own[max(i - 4, 0) : i], own[i]))
    data = global_split.leave_one_out(log, catalog, history=4)
    self.assertEqual(data.catalog.ids, catalog.item_ids)
    for rows, part in zip(
      (data.train, data.valid, data.test), parts, strict=True
    ):
      self.assertEqual(told(data, rows), part)

  def test_refuses_what_is_too_short(self):
    log, catalog = made(0, users=2, events=2)
    with self.assertRaisesRegex(UserError, 'part has no row; give a log'):
      global_split.leave_one_out(log, catalog)


if __name__ == '__main__':
  absltest.main()
