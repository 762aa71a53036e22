"""A small made log, and the retriever's numbers in dense numpy, by loops."""

import numpy as np

from taiji_jax.types import Catalog, Log, Rows


def catalog(items=12, seed=0):
  rng = np.random.default_rng(seed)
  paths = [(), ('A',), ('A', 'a'), ('A', 'b', 'x'), ('B', 'a'), ('B', 'a', 'x')]
  return Catalog(
    tuple(str(n) for n in range(items)),
    tuple(f'item {n}' for n in range(items)),
    tuple(paths[k] for k in rng.integers(0, len(paths), items)),
    tuple(('', 'p', 'q')[k] for k in rng.integers(0, 3, items)),
  )


def log(users=15, items=12, events=150, seed=0, clicks=0.9):
  rng = np.random.default_rng(seed)
  return Log(
    tuple(str(u) for u in range(users)),
    ({},) * users,
    rng.integers(0, users, events).astype(np.int32),
    rng.integers(0, items, events).astype(np.int32),
    np.arange(events),
    rng.random(events) < clicks,
    np.zeros(events, bool),
  )


def titles(items=12, width=4, seed=0):
  return np.random.default_rng(seed).normal(size=(items, width))


def rows_of(histories, targets=None, users=None, events=None):
  history_rs = np.array(histories, np.int32)
  none = np.zeros(len(histories), np.int32)
  return Rows(
    none - 1 if events is None else np.array(events),
    none if users is None else np.array(users),
    none if targets is None else np.array(targets, np.int32),
    history_rs,
  )


def last_clicks(log, skip, size=4):
  """Returns (rows of each user's click number -1 - skip, events before)."""
  found, before = [], np.zeros(len(log), bool)
  for user in range(len(log.user_ids)):
    own = np.flatnonzero((log.user_e == user) & log.click_e)
    if len(own) > skip:
      history = log.item_e[own[: len(own) - 1 - skip]][::-1][:size].tolist()
      padded = history + [-1] * (size - len(history))
      event = own[-1 - skip]
      found.append((padded, log.item_e[event], user, event))
      before[own[: len(own) - 2]] = True
  return rows_of(*zip(*found, strict=True)), before


def sequences(log, events, without=()):
  """Returns each user's clicked items among the events, in order."""
  return [
    [
      int(log.item_e[e])
      for e in range(len(log))
      if events[e] and log.click_e[e] and log.user_e[e] == user
    ]
    for user in range(len(log.user_ids))
    if user not in without
  ]


def dense_features(history, log, catalog, events, near, decay, without=()):
  """Returns float64 `[18, N]`, in the order of `features.NAMES`."""
  items = len(catalog)
  told = sequences(log, events, without)
  after = np.zeros((11, items, items))
  for clicked in told:
    for i, first in enumerate(clicked):
      for lag in range(1, 11):
        if i + lag < len(clicked):
          after[lag, first, clicked[i + lag]] += 1
  window = after.sum(0)
  both = window + window.T
  history = [h for h in history if h >= 0]
  recent = history[:10]
  nothing = np.zeros(items)
  rows = [np.log1p(np.bincount(sum(told, []), minlength=items))]
  for j in range(3):
    rows.append(after[j + 1, recent[j]] if len(recent) > j else nothing)
    rows[-1] = np.log1p(rows[-1])
  further = after[4:].sum(0)
  rows.append(np.log1p(sum((further[h] for h in recent[3:]), nothing)))
  rows.append(np.log1p(both[recent[0]] if recent else nothing))
  rows.append(np.log1p(sum((both[h] for h in recent), nothing)))
  rows.append(near[recent[0]] if recent else nothing)
  rows.append(
    sum((near[h] * decay ** (j + 1) for j, h in enumerate(recent[1:])), nothing)
  )
  kinds = [
    [c[: k + 1] if len(c) > k else None for c in catalog.categories]
    for k in range(3)
  ] + [[b or None for b in catalog.brands or [''] * items]]
  total = 1 + sum(decay**j for j in range(len(history)))
  last, share = [], []
  for names in kinds:

    def weight(n, names=names):
      return sum(
        decay**j for j, h in enumerate(history)
        if names[h] is not None and names[h] == names[n]
      )  # fmt: skip

    share.append([weight(n) / total for n in range(items)])
    first = names[history[0]] if history else None
    last.append([float(first is not None and name == first) for name in names])
  itself = [
    sum(decay**j for j, h in enumerate(history) if h == n) / total
    for n in range(items)
  ]
  return np.array(
    [rows[0], *last[:3], *share[:3], *rows[1:], last[3], share[3], itself]
  )


def softmax(score_n, barred):
  score_n = np.where(barred, -np.inf, score_n)
  p_n = np.exp(score_n - score_n.max())
  return p_n / p_n.sum()
