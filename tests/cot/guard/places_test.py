"""A place in the list of candidates: what names it, and what does not."""

from absl.testing import absltest, parameterized

from taiji_jax.cot.guard import place_names, places
from tests.cot.guard import held_out_prose

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
    'listed first',
    'the first entry',
    'the first item on the list',
    'the **first** candidate',
    'candidates 1 and 3',
    'the top candidate',
    'the topmost candidate',
    'the leading candidate',
    'the initial candidate',
    'the best candidate on the list',
    'number-one candidate',
    'item 1 on the list',
    'heads the list',
    'the one at the top',
    'Of the candidates, the first fits.',
    'option (a)',
    'the first of the five',
    'It comes first on the list.',
    'Only the first of the candidates shares the category.',
    "the list's top entry",
    'the first-mentioned candidate',
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
    'Of the candidates, the second fits best.',
    'ranked number 2',
    'ranks second',
    'listed as number 2',
    'second listed',
    'the second one',
    'candidate II',
    'option \N{FULLWIDTH DIGIT TWO}',
    'option \N{CIRCLED DIGIT TWO}',
    'candidate \N{NUMERO SIGN}2',
    'the candidate in second place',
    'Comparing all five, the second stands out.',
    'my choice is number two',
    'second from the top',
    "Candidate 2's brand",
    '**Candidate 2** fits',
    'options 1/2/3',
  ),
  2: (
    'the middle candidate',
    'third option',
    'candidate 3',
    'Answer: 3',
    'number three of five',
    'the one in the middle',
    'The third of the suggestions it is.',
  ),
  3: (
    'the second to last candidate',
    'the next-to-last option',
    'last but one candidate',
    'the penultimate candidate',
    'the fourth of the candidates',
    'candidate iv',
    'second from the bottom',
    'the second candidate from the bottom',
    'the next to last of the five',
  ),
  4: (
    'the last candidate',
    'the last of the candidates',
    'the final option',
    'the bottom of the list',
    'candidate 5',
    'the 5th candidate',
    'the last one',
    'the last listed',
    'the list ends with it',
    'It closes the list.',
    'the very bottom of the list',
    "The list's last item is what they need.",
    'the fifth and last candidate',
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
  'the latter half',
  'the former',
  'candidates 3 times',
  'Candidates: 5.',
  'the first choice of many workers',
  'their first choice',
  'a top choice',
  'the best option for a lab',
  'the first aid kit',
  'a second coat of paint',
  'top coat',
  'last month',
  'Among the candidates one fits best.',
  'The first two candidates',
  'candidate I would expect',
  'option 2-pack',
  'The last one they bought was wide.',
)
_TITLES = ('Tin Cup', 'Oak Shelf', 'Lumo Desk Lamp', 'Wool Rug')


class PlacesTest(parameterized.TestCase):
  @parameterized.parameters(
    *((text, place) for place, texts in _NAMED.items() for text in texts)
  )
  def test_names_its_own_place_alone(self, text, place):
    self.assertIsNotNone(places.names(text, [place], 5))
    if ' and ' not in text and '/' not in text:
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

  @parameterized.parameters(
    ('rather the former', 0),
    ('The latter fits.', 1),
    ('The latter one.', 1),
    ('the latter half', None),
    ('the former owner', None),
  )
  def test_of_two(self, text, place):
    found = [n for n in range(2) if places.names(text, [n], 2)]
    self.assertEqual(found, [] if place is None else [place])

  @parameterized.parameters(
    ('the one above the Lumo Desk Lamp', 1),
    ('It is listed right after the Lumo Desk Lamp.', 3),
    ('the candidate just below the second', 2),
    ('what follows the first candidate', 1),
    ('the option before candidate 4', 2),
    ('the one between the Tin Cup and the Lumo Desk Lamp', 1),
    ('the one between the second and the fourth candidate', 2),
  )
  def test_beside(self, text, place):
    said = places.names(text, [place], 4, (), _TITLES)
    self.assertIsNotNone(said)

  @parameterized.parameters(
    'After the Lumo Desk Lamp many pick rugs.',
    'Below the sink, a Lumo Desk Lamp.',
    'Like Lumo Desk Lamp: Rugs rather than Cups.',
    'one after another',
    'the one before the last purchase',
  )
  def test_beside_nothing(self, text):
    self.assertIsNone(places.names(text, [1, 3], 4, (), _TITLES))

  @parameterized.parameters(
    ('Neither the second nor the third candidate.', 3, 0),
    ('Not the first candidate. And not candidate 3 either.', 3, 1),
    ('Candidates 1 and 2 do not fit.', 3, 2),
    ("Candidate 1 isn't right.", 2, 1),
    ('I rule out the first, second and fourth candidates.', 4, 2),
    ('Neither a Tin Cup nor an Oak Shelf; no Wool Rug.', 4, 2),
  )
  def test_all_others_ruled_out(self, text, count, place):
    titles = _TITLES if count == 4 else ()
    self.assertIsNotNone(places.names(text, [place], count, (), titles))
    # Of one more candidate two are left.
    titles += ('Pail',) if titles else ()
    self.assertIsNone(places.names(text, [place], count + 1, (), titles))

  def test_what_a_name_of_the_prompt_says(self):
    text = 'After First Choice Option 2 many pick more.'
    self.assertIsNotNone(places.names(text, [1], 3))
    known = ('First Choice Option 2',)
    self.assertIsNone(places.names(text, range(3), 3, known))

  def test_held_out_phrases(self):
    planted = found = 0
    for size in (2, 3, 5, 7):
      for place in range(size):
        others = [other for other in range(size) if other != place]
        direct = place_names.of(place, size)
        for phrase in direct + place_names.by_others(place, size):
          planted += 1
          text = f'It goes on. Perhaps {phrase}. More.'
          found += places.names(text, [place], size) is not None
        for phrase in direct:
          self.assertIsNone(places.names(phrase, others, size), phrase)
    self.assertGreater(planted, 1000)
    self.assertGreaterEqual(found, 0.98 * planted)

  @parameterized.parameters(*held_out_prose.CLEAN)
  def test_held_out_prose(self, text):
    self.assertIsNone(places.names(text, range(5), 5))

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
