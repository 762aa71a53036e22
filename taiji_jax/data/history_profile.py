"""A profile out of what a user bought, for logs that have none."""

from collections import Counter
from collections.abc import Sequence

from taiji_jax.errors import UserError
from taiji_jax.types import Catalog

FIELDS = ('favours', 'brands', 'bought')
_NAMES = 2


def profile(history: Sequence[int], catalog: Catalog) -> dict[str, str]:
  """Returns the profile fields that a history gives, `field -> text`.

  `Choice:` the paper's profile (demographics, tier, interests) is not in open
  purchase logs; here it is the two commonest first-level categories
  ('favours'), up to two brands bought more than once ('brands'), and how many
  items there are ('bought'). Ties go to what was bought last.

  Args:
    history: items, most recent first; it ends at the first -1.
    catalog: the items.
  """
  items = list(history)
  if -1 in items:
    items = items[: items.index(-1)]
  levels = Counter(
    catalog.categories[n][0] for n in items if catalog.categories[n]
  )
  brands = Counter(
    catalog.brands[n] for n in items if catalog.brands and catalog.brands[n]
  )
  found = {
    'favours': ' and '.join(name for name, _ in levels.most_common(_NAMES)),
    'brands': ' and '.join(
      name for name, count in brands.most_common(_NAMES) if count > 1
    ),
    'bought': f'{len(items)} items' if items else '',
  }
  return {field: text for field, text in found.items() if text}


def check_shown(fields: Sequence[str]) -> None:
  """Raises UserError where a prompt would show nothing of such a profile.

  Args:
    fields: what prompts show.
  """
  if not set(fields).intersection(FIELDS):
    raise UserError(
      "data.profile is 'history', but prompt.profile_fields is"
      f' {tuple(fields)}, none of its fields, so that no prompt would show it;'
      f' set prompt.profile_fields={FIELDS} or some of them, or'
      " data.profile='log'."
    )
