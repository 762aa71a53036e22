"""A place in the list of candidates: what names it, and what does not."""

from absl.testing import absltest, parameterized

from taiji_jax.cot.guard import places

_NAMED = {
  0: (
    'The first candidate fits.',
    'first of the candidates',
    'the 1st of these five options',
    'Candidate 1 fits',
    'option A is it',
    'Option one.',
    'candidate #1',
    'candidate no. 1',
    'number one on the list',
    'no. 1 of the candidates',
    'so #1.',
    'the top of the list',
    'It tops the list',
    'rather the former',
    'listed first',
    'the first entry',
    'the first item on the list',
    'the **first** candidate',
    'candidates 1 and 3',
  ),
  1: (
    'the second candidate',
    'the second listed candidate',
    'option 2',
    '#2',
    'number two on the list',
    'candidates 1 and 2',
    'candidate (2)',
    'the second one listed',
    'second in the list of candidates',
    'Candidate two',
    'Option B',
  ),
  2: ('the middle candidate', 'third option', 'candidate 3'),
  3: (
    'the second to last candidate',
    'the next-to-last option',
    'last but one candidate',
    'the penultimate candidate',
    'the fourth of the candidates',
  ),
  4: (
    'the last candidate',
    'the last of the candidates',
    'the final option',
    'the bottom of the list',
    'the latter',
    'candidate 5',
    'the 5th candidate',
  ),
}
_NONE = (
  '',
  'the first item of the history',
  'the last item bought',
  'First, the candidates differ.',
  'second-hand tools',
  'a #12 screw',
  'number one in the world',
  'option 20',
  'candidate 3.5',
  'an option 2 inches wide',
  'two candidates are tapes',
  'five candidates',
  'A candidate for the bench',
  'a candidate a user likes',
  'the candidates',
  'the only candidate',
  'formerly a list',
)


class PlacesTest(parameterized.TestCase):
  @parameterized.parameters(
    *((text, place) for place, texts in _NAMED.items() for text in texts)
  )
  def test_names_its_own_place_alone(self, text, place):
    self.assertIsNotNone(places.names(text, [place], 5))
    if ' and ' not in text:
      others = [other for other in range(5) if other != place]
      self.assertIsNone(places.names(text, others, 5))

  @parameterized.parameters(*_NONE)
  def test_names_none(self, text):
    self.assertIsNone(places.names(text, range(5), 5))

  def test_of_one(self):
    self.assertEqual(
      places.names('So the only candidate.', [0], 1), 'only candidate'
    )
    self.assertIsNone(places.names('the last candidate', [0], 2))

  def test_a_sign_that_a_name_of_the_prompt_has(self):
    self.assertIsNone(places.names('a #2 screw', [1], 5, ('Screw, #2',)))
    self.assertEqual(places.names('a #2 screw', [1], 5, ('Screw #3',)), '#2')

  def test_no_place(self):
    self.assertIsNone(places.names('the first candidate', [], 5))

  def test_beyond_ten(self):
    self.assertEqual(places.names('22nd candidate', [21], 30), '22nd candidate')
    self.assertEqual(places.names('12th candidate', [11], 30), '12th candidate')
    self.assertEqual(places.names('option 12', [11], 30), 'option 12')
    self.assertIsNone(places.names('option 12', [0], 30))


if __name__ == '__main__':
  absltest.main()
