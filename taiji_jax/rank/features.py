"""What the tower reads of users and items, as small integer codes."""

from collections.abc import Mapping, Sequence
import dataclasses
import math

import numpy as np

from taiji_jax.types import CATEGORY_LEVELS, Catalog

UNKNOWN = 0


@dataclasses.dataclass(frozen=True)
class ProfileVocabulary:
  """Codes of profile fields, fitted on the users of the training part.

  A field is numeric where every value of the training users is a finite number
  and there are more different ones than buckets; its codes are quantile
  buckets. Any other field has a code for each text. Code 0 is the unknown: an
  absent field, a new text, a text that is no number.

  `Choice:` the paper does not say how its ranker reads profiles. A text that
  fewer than `min_users` training users have counts as unknown: it would name
  the user rather than describe them.

  Attributes:
    fields: the fields, sorted.
    edges: inner bucket edges of each field, ascending; None where it is text.
    values: code of each text of each field; empty where it is numeric.
  """

  fields: tuple[str, ...]
  edges: tuple[tuple[float, ...] | None, ...]
  values: tuple[Mapping[str, int], ...]

  @classmethod
  def fit(
    cls,
    profiles: Sequence[Mapping[str, str]],
    users: np.ndarray,
    *,
    buckets: int = 8,
    min_users: int = 5,
  ) -> 'ProfileVocabulary':
    """Returns the vocabulary of the users that are in the training part.

    Args:
      profiles: the profile of each user.
      users: int, indices of training users; repeats count once.
      buckets: of a numeric field, at least 2.
      min_users: that must share a text for it to get a code, at least 1.
    """
    if buckets < 2 or min_users < 1:
      raise ValueError(
        f'buckets={buckets}, min_users={min_users}; give at least 2 and 1.'
      )
    known = [profiles[u] for u in np.unique(users)]
    fields = tuple(sorted({field for profile in known for field in profile}))
    edges, values = [], []
    for field in fields:
      texts = [profile[field] for profile in known if field in profile]
      edges.append(_edges(texts, buckets))
      values.append({} if edges[-1] is not None else _codes(texts, min_users))
    return cls(fields, tuple(edges), tuple(values))

  @property
  def cardinalities(self) -> tuple[int, ...]:
    """Returns the number of codes of each field, the unknown counted."""
    return tuple(
      len(codes) + 1 if edges is None else len(edges) + 2
      for edges, codes in zip(self.edges, self.values, strict=True)
    )

  def encode(self, profiles: Sequence[Mapping[str, str]]) -> np.ndarray:
    """Returns the codes of profiles, int32 `[len(profiles), fields]`."""
    codes = [
      [self._code(i, profile.get(f)) for i, f in enumerate(self.fields)]
      for profile in profiles
    ]
    shape = len(profiles), len(self.fields)
    return np.array(codes, np.int32).reshape(shape)

  def _code(self, i: int, text: str | None) -> int:
    if text is None:
      return UNKNOWN
    edges = self.edges[i]
    if edges is None:
      return self.values[i].get(text, UNKNOWN)
    number = _number(text)
    if number is None:
      return UNKNOWN
    return 1 + int(np.searchsorted(edges, number, side='right'))


def category_codes(catalog: Catalog) -> tuple[np.ndarray, tuple[int, ...]]:
  """Returns codes int32 `[N, 3]` of the items' levels, and how many there are.

  A level is known by its path: the same name below two parents has two codes.
  Code 0 is a level that is unknown.

  Args:
    catalog: the items.
  """
  code_nl = np.zeros((len(catalog), CATEGORY_LEVELS), np.int32)
  cardinalities = []
  for level in range(CATEGORY_LEVELS):
    paths = [c[: level + 1] for c in catalog.categories]
    known = sorted({path for path in paths if len(path) > level})
    code = {path: i + 1 for i, path in enumerate(known)}
    code_nl[:, level] = [code.get(path, UNKNOWN) for path in paths]
    cardinalities.append(len(known) + 1)
  return code_nl, tuple(cardinalities)


def _number(text: str) -> float | None:
  try:
    number = float(text)
  except ValueError:
    return None
  return number if math.isfinite(number) else None


def _edges(texts: Sequence[str], buckets: int) -> tuple[float, ...] | None:
  numbers = [_number(text) for text in texts]
  if None in numbers or len(set(numbers)) <= buckets:
    return None
  inner = np.quantile(numbers, np.arange(1, buckets) / buckets)
  return tuple(np.unique(inner).tolist())


def _codes(texts: Sequence[str], min_users: int) -> dict[str, int]:
  unique, count = np.unique(texts, return_counts=True)
  kept = unique[count >= min_users].tolist()
  return {text: i + 1 for i, text in enumerate(kept)}
