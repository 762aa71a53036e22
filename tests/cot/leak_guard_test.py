"""What counts as stating the answer, and what does not."""

from absl.testing import absltest, parameterized

from taiji_jax.cot import leak_guard
from taiji_jax.types import Catalog

_TITLES = (
  'Godfather, The (1972)',
  'Godfather: Part II, The (1974)',
  'Star Trek: First Contact (1996)',
  'Seven (Se7en) (1995)',
  'Big (1988)',
  "Schindler's List (1993)",
  'Double vie de Véronique, La (1991)',
)
_CATALOG = Catalog(
  item_ids=('127', '187', '222', '11', 'B00X', 'sku-9', '1005'),
  titles=_TITLES,
  categories=((),) * len(_TITLES),
)


class LeakGuardTest(parameterized.TestCase):
  @parameterized.parameters(
    ('Because of Godfather, The (1972).', 0),
    ('The  GODFATHER it is', 0),
    # A history title that holds the target's title.
    ('Fans of Godfather: Part II, The (1974) pick Crime.', 0),
    ('After The Godfather: Part II more Crime.', 1),
    # 3 of 4 words in a row: 3/4 >= 0.75.
    ('so Star Trek First something', 2),
    ('maybe Se7en', 3),
    ('maybe seven?', 3),
    ('a big one', 4),
    ('Schindlers list', 5),
    ('schindler\N{RIGHT SINGLE QUOTATION MARK}s list', 5),
    ('double vie de veronique', 6),
    ('item 127 fits', 0),
    ('item B00X.', 4),
    ('(sku-9)', 5),
  )
  def test_leaks(self, think, target):
    self.assertIsNotNone(leak_guard.leaks(think, _CATALOG, target))

  @parameterized.parameters(
    ('', 0),
    # 1 word of 3.
    ('Fans of Godfather, The (1972) pick Crime 1970s.', 1),
    # 2 words of 4.
    ('Fans of Star Trek: Generations (1994) pick Sci-Fi 1990s.', 2),
    ('seventh heaven of 1995', 3),
    ('bigger than Bigfoot (1988)', 4),
    ('the list of Schindler', 5),
    ('in 1270 and 21278', 0),
    ('1972', 0),
  )
  def test_does_not_leak(self, think, target):
    self.assertIsNone(leak_guard.leaks(think, _CATALOG, target))


if __name__ == '__main__':
  absltest.main()
