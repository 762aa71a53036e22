"""The forms of a brand, and those that are other words."""

from absl.testing import absltest, parameterized

from taiji_jax.cot.guard.brand_forms import BrandForms
from taiji_jax.types import Catalog


def _catalog(brand, *others):
  """Returns an item of the brand, and others of another."""
  titles = (f'{brand} thing', *others)
  brands = (brand, *(('Zeta',) * len(others)))
  return Catalog(
    tuple(map(str, range(len(titles)))), titles, ((),) * len(titles), brands
  )


class BrandFormsTest(parameterized.TestCase):
  def test_endings_and_parts(self):
    ((name, *forms),) = BrandForms(_catalog('Hatchbox')).of(0, frozenset())
    self.assertEqual(name, ' hatchbox ')
    for form in (' hatchboxs ', ' hatchboxes ', ' hatch box ', ' hat chboxes '):
      self.assertIn(form, forms)
    self.assertNotIn(' ha tchbox ', forms)

  @parameterized.parameters(
    ('Abc', (' abc ', ' abcs ', ' abces ')),
    # No ending behind a digit; too short, or no letters, to be cut.
    ('Ab12345', (' ab12345 ',)),
    ('3M', (' 3m ', ' 3ms ', ' 3mes ')),
  )
  def test_short_ones_stay_whole(self, brand, forms):
    self.assertEqual(BrandForms(_catalog(brand)).of(0, frozenset()), (forms,))

  @parameterized.parameters('Big Bolts', 'a bolt-on', 'power mate')
  def test_a_form_that_another_brand_says_is_none(self, title):
    for brand, form in (('Bolt', ' bolts '), ('Powermate', ' power mate ')):
      ((_, *free),) = BrandForms(_catalog(brand)).of(0, frozenset())
      ((_, *forms),) = BrandForms(_catalog(brand, title)).of(0, frozenset())
      self.assertIn(form, free)
      said = form.strip() in title.lower()
      self.assertEqual(form in forms, not said)

  def test_a_form_that_the_category_says_is_none(self):
    forms = BrandForms(_catalog('Staple'))
    self.assertNotIn(' staples ', forms.of(0, frozenset({'staples'}))[0])
    self.assertEqual(forms.of(0, frozenset({'staple'})), ())

  def test_the_first_word_where_it_is_theirs_alone(self):
    own = BrandForms(_catalog('Acme Tools')).of(0, frozenset())
    self.assertEqual([forms[0] for forms in own], [' acme tools ', ' acme '])
    shared = BrandForms(_catalog('Acme Tools', 'An acme')).of(0, frozenset())
    self.assertEqual([forms[0] for forms in shared], [' acme tools '])

  def test_no_brands(self):
    none = Catalog(('1',), ('Cup',), ((),))
    self.assertEqual(BrandForms(none).of(0, frozenset()), ())
    empty = Catalog(('1', '2'), ('Cup', 'Pot'), ((), ()), ('', 'Zeta'))
    self.assertEqual(BrandForms(empty).of(0, frozenset()), ())


if __name__ == '__main__':
  absltest.main()
