"""What is known of the items alone: categories, brands, neighbours."""

from collections.abc import Sequence
import dataclasses

import jax
import numpy as np

from taiji_jax.types import CATEGORY_LEVELS, Catalog


@dataclasses.dataclass(frozen=True)
class Items:
  """Codes of the items; -1 is unknown. A leaf is a whole category path.

  Attributes:
    code_ln: int32 `[3, N]`, the path down to each level.
    codes: how many there are of each level.
    leaf_n: int32 `[N]`, the whole path, however long; one of G.
    leaf_lg: int32 `[3, G]`, `code_ln` of a leaf's items.
    brand_n: int32 `[N]`.
    brand_start: int64 `[brands + 1]`, where a brand begins in `by_brand`.
    by_brand: int64 `[P]`, the items that have a brand, brand by brand.
  """

  code_ln: np.ndarray
  codes: tuple[int, ...]
  leaf_n: np.ndarray
  leaf_lg: np.ndarray
  brand_n: np.ndarray
  brand_start: np.ndarray
  by_brand: np.ndarray

  @classmethod
  def of(cls, catalog: Catalog) -> 'Items':
    """Returns the codes of a catalogue; two paths have two codes."""
    levels = [
      _coded([c[: level + 1] if len(c) > level else () for c in paths])
      for level, paths in enumerate([catalog.categories] * CATEGORY_LEVELS)
    ]
    code_ln = np.stack([code_n for code_n, _ in levels])
    leaf_lg, leaf_n = np.unique(code_ln, axis=1, return_inverse=True)
    brands = catalog.brands or ('',) * len(catalog)
    brand_n, count = _coded([(b,) if b else () for b in brands])
    by_brand = np.argsort(brand_n, kind='stable')
    start = np.searchsorted(brand_n[by_brand], np.arange(count + 1))
    return cls(
      code_ln,
      tuple(size for _, size in levels),
      leaf_n.astype(np.int32).ravel(),
      leaf_lg,
      brand_n,
      start,
      by_brand,
    )

  def placed(self) -> 'Items':
    """Returns the same on the device, as far as it is computed with there."""
    names = ('code_ln', 'leaf_n', 'leaf_lg')
    return dataclasses.replace(
      self, **{name: jax.device_put(getattr(self, name)) for name in names}
    )


def _coded(names: Sequence[tuple[str, ...]]) -> tuple[np.ndarray, int]:
  """Returns int32 codes in the order of the names, -1 for (), and how many."""
  known = {name: i for i, name in enumerate(sorted({n for n in names if n}))}
  return np.array([known.get(n, -1) for n in names], np.int32), len(known)
