"""Titles cut to a few words, and still told apart."""

import dataclasses

from taiji_jax.data.title_index import normalise
from taiji_jax.types import Catalog

_STRAY = ' ,;:.-&(['


def cut_titles(catalog: Catalog, words: int) -> Catalog:
  """Returns the catalogue with titles of `words` words, or as many as it takes.

  A title cut inside a bracket or before a stop keeps no stray punctuation at
  its end. Titles that would become equal (see `title_index.normalise`) and are
  not equal whole all get one word more, again and again, until they differ:
  so a title that is unique whole stays so, and an answer with it finds its
  item. Titles that are equal whole may stay equal; `TitleIndex` says which
  item is meant.

  The order of the items does not matter. One that is kept longer than `words`
  takes as many rounds as words more, and no round looks at the others again.

  Args:
    catalog: the items.
    words: at least 1.

  Raises:
    ValueError: words is below 1.

  >>> catalog = Catalog(
  ...   ('1', '2', '3'),
  ...   ('Steel Staples, 1/2 Inch (1000', 'Hex Nut, M4', 'Hex Nut, M5 (10)'),
  ...   ((), (), ()),
  ... )
  >>> cut_titles(catalog, 2).titles
  ('Steel Staples', 'Hex Nut, M4', 'Hex Nut, M5')
  """
  if words < 1:
    raise ValueError(f'words is {words}; a title keeps at least 1.')
  whole = [normalise(title) for title in catalog.titles]
  kept = [min(words, len(title.split())) for title in catalog.titles]
  cut = list(map(_prefix, catalog.titles, kept))
  items_by_form: dict[str, list[int]] = {}
  moved = list(range(len(catalog)))
  while moved:
    forms = [normalise(cut[item]) for item in moved]
    for form, item in zip(forms, moved, strict=True):
      items_by_form.setdefault(form, []).append(item)
    moved = []
    for form in dict.fromkeys(forms):
      items = items_by_form[form]
      if len(items) == 1 or len({whole[item] for item in items}) == 1:
        continue
      # More words would not change one that says all of its title.
      items_by_form[form] = [item for item in items if whole[item] == form]
      moved += [item for item in items if whole[item] != form]
    for item in moved:
      kept[item] += 1
      cut[item] = _prefix(catalog.titles[item], kept[item])
  return dataclasses.replace(catalog, titles=tuple(cut))


def _prefix(title: str, words: int) -> str:
  """Returns so many words without stray ends; past the last word, all of it."""
  parts = title.split()
  if words > len(parts):
    return title
  short = ' '.join(parts[:words])
  return short.rstrip(_STRAY) or short
