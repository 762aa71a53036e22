"""Items that share an ID get others on the last level."""

import dataclasses

import numpy as np
from scipy import optimize, special

from taiji_jax.errors import UserError
from taiji_jax.semantic_ids import keys
from taiji_jax.semantic_ids.config import COLLISIONS

# Of Sinkhorn's steps; rows of a few hundred columns settle by then.
_STEPS = 50


@dataclasses.dataclass(frozen=True, eq=False)
class Repaired:
  """IDs after a repair, and what it came to.

  Attributes:
    code_nl: int32 in [0, K).
    moved_n: bool, the items whose ID is another one than before.
    before, after: items that share their ID with another one.
    crowded: items of prefixes that have more items than codes, so that no
      repair of the last level parts them all.
  """

  code_nl: np.ndarray
  moved_n: np.ndarray
  before: int
  after: int
  crowded: int

  def told(self) -> str:
    """Returns what became of the collisions, in a sentence or two."""
    items = len(self.code_nl)
    text = (
      f'{self.before} of {items} items shared their ID, {self.after} do now;'
      f' {int(self.moved_n.sum())} got another one.'
    )
    if self.crowded:
      text += (
        f' {self.crowded} items have prefixes with more items than codes of the'
        ' last level: give more codes, or one level more.'
      )
    return text


def sharing(code_nl: np.ndarray, codes: int) -> np.ndarray:
  """Returns which items share their ID with another one, bool `[n]`.

  Args:
    code_nl: int in [0, K).
    codes: K.
  """
  _, at_n, count_g = np.unique(
    keys.of(code_nl, codes), return_inverse=True, return_counts=True
  )
  return count_g[at_n] > 1


def beside_shared(code_nl: np.ndarray, codes: int) -> np.ndarray:
  """Returns whose prefix, all codes but the last, has a shared ID, bool `[n]`.

  Args:
    code_nl: int in [0, K).
    codes: K.
  """
  shared_n = sharing(code_nl, codes)
  prefix_n = keys.of(code_nl[:, :-1], codes)
  return np.isin(prefix_n, np.unique(prefix_n[shared_n]))


def repair(
  code_nl: np.ndarray,
  rest_nd: np.ndarray,
  codebook_kd: np.ndarray,
  method: str,
  *,
  temperature: float = 0.01,
  rounds: int = 20,
) -> Repaired:
  """Returns IDs of which no more are shared; only last codes change.

  'hungarian': of each prefix with a shared ID, all items get the last codes, no
  code twice, whose squared distances have the least sum. Nothing is shared but
  where a prefix has more items than codes: there as many as have room get such
  codes, the others keep theirs, and the whole prefix stays as it was where no
  fewer items would share their ID than before.

  'sinkhorn': the items of a shared ID alone move, to codes that no other item
  of the prefix has (`spread`), round after round while something changes.

  Args:
    code_nl: int in [0, K).
    rest_nd: float, what the last level has to quantise (`Quantiser.rest`).
    codebook_kd: float, of the last level.
    method: 'none', 'sinkhorn' or 'hungarian'.
    temperature: of Sinkhorn, in mean squared distances.
    rounds: of Sinkhorn, the most.

  Raises:
    UserError: there is no such method, or a code is out of range.
  """
  if method not in COLLISIONS:
    raise UserError(
      f'collisions is {method!r}; choose one of {", ".join(COLLISIONS)}.'
    )
  codes = len(codebook_kd)
  code_nl = keys.check(code_nl, codes, 'the IDs')
  new_nl = code_nl.copy()
  if method == 'hungarian':
    _hungarian(new_nl, rest_nd, codebook_kd)
  elif method == 'sinkhorn':
    _sinkhorn(new_nl, rest_nd, codebook_kd, temperature, rounds)
  prefixes = keys.groups(keys.of(code_nl[:, :-1], codes), codes + 1)
  return Repaired(
    code_nl=new_nl,
    moved_n=(new_nl != code_nl).any(1),
    before=int(sharing(code_nl, codes).sum()),
    after=int(sharing(new_nl, codes).sum()),
    crowded=sum(map(len, prefixes)),
  )


def distances(rest_id: np.ndarray, codebook_kd: np.ndarray) -> np.ndarray:
  """Returns squared distances, float64 `[i, k]`, at least 0.

  Args:
    rest_id, codebook_kd: float.
  """
  rest_id = np.asarray(rest_id, np.float64)
  codebook_kd = np.asarray(codebook_kd, np.float64)
  square_ik = (rest_id**2).sum(1)[:, None] - 2 * rest_id @ codebook_kd.T
  return np.maximum(square_ik + (codebook_kd**2).sum(1), 0.0)


def _hungarian(
  code_nl: np.ndarray, rest_nd: np.ndarray, codebook_kd: np.ndarray
) -> None:
  """Changes the last codes of every prefix that has a shared ID."""
  shared_n = sharing(code_nl, len(codebook_kd))
  for rows in keys.groups(keys.of(code_nl[:, :-1], len(codebook_kd))):
    if shared_n[rows].any():
      cost_ik = distances(rest_nd[rows], codebook_kd)
      i, k = optimize.linear_sum_assignment(cost_ik)
      last_i = code_nl[rows, -1].copy()
      last_i[i] = k
      if _crowd(last_i) < _crowd(code_nl[rows, -1]):
        code_nl[rows, -1] = last_i


def _crowd(code_i: np.ndarray) -> int:
  """Returns how many items have a code that another one has too."""
  count_k = np.bincount(code_i)
  return int(count_k[count_k > 1].sum())


def _sinkhorn(
  code_nl: np.ndarray,
  rest_nd: np.ndarray,
  codebook_kd: np.ndarray,
  temperature: float,
  rounds: int,
) -> None:
  """Changes the last codes of items with shared IDs, in rounds."""
  codes = len(codebook_kd)
  prefix_n = keys.of(code_nl[:, :-1], codes)
  members = {int(prefix_n[rows[0]]): rows for rows in keys.groups(prefix_n)}
  for _ in range(rounds):
    before_n = code_nl[:, -1].copy()
    for rows in keys.groups(keys.of(code_nl, codes)):
      others = np.setdiff1d(members[int(prefix_n[rows[0]])], rows)
      free_k = np.ones(codes, bool)
      free_k[code_nl[others, -1]] = False
      if free_k.sum() > 1:
        cost_ik = distances(rest_nd[rows], codebook_kd)
        code_nl[rows, -1] = spread(cost_ik, free_k, temperature)
    if (code_nl[:, -1] == before_n).all():
      return


def spread(
  cost_ik: np.ndarray, free_k: np.ndarray, temperature: float
) -> np.ndarray:
  """Returns a code for each item, few of them twice, int64 `[i]`.

  The likeliest codes under the plan of Sinkhorn's steps (arXiv:1306.0895) whose
  rows sum to 1 and whose columns sum to 1 at most; a column that is not free
  stays at 0.

  `Choice:` the code that is published with LC-Rec (arXiv:2311.09049) wants
  columns of equal sums, by which two items spread over all codes and the
  likeliest one may be far from both. At most 1 keeps an item where it is unless
  another one is nearer. Equal items have equal rows, whose likeliest codes are
  the same: where there is a free code for each item the plan is rounded to
  different ones, the assignment of the largest sum.

  Args:
    cost_ik: float, squared distances.
    free_k: bool, at least one of them.
    temperature: in mean costs of the free columns, above 0.
  """
  cost_ik = cost_ik[:, free_k]
  score_ik = -cost_ik / (temperature * max(cost_ik.mean(), 1e-30))
  u_i1, v_k = np.zeros((len(cost_ik), 1)), np.zeros(cost_ik.shape[1])
  for _ in range(_STEPS):
    u_i1 = -special.logsumexp(score_ik + v_k, 1, keepdims=True)
    v_k = np.minimum(-special.logsumexp(score_ik + u_i1, 0), 0.0)
  plan_ik = score_ik + v_k
  choice_i = plan_ik.argmax(1)
  if len(plan_ik) <= plan_ik.shape[1]:
    choice_i = optimize.linear_sum_assignment(plan_ik, maximize=True)[1]
  return np.flatnonzero(free_k)[choice_i]
