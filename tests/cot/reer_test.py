"""The local search, on scores whose best text is known."""

import itertools
import math

from absl.testing import absltest, parameterized
import numpy as np

from taiji_jax.cot import reer
from taiji_jax.errors import UserError

_WORTH = {'Bad.': 3.0, 'Fair.': 2.0, 'Good.': 1.0, 'Best.': 0.25, '': 1.5}
_START = ('Bad. Bad. Bad.', 'Good.', 'Fair. Best.')


def _additive(rows, texts) -> np.ndarray:
  """Returns exp of the sum of what the sentences are worth, and of the row."""
  return np.array(
    [
      math.exp(sum(_WORTH[word] for word in text.split()) + row)
      for row, text in zip(rows, texts, strict=True)
    ]
  )


def _all_words(places):
  return [list(_WORTH)[:4] for _ in places]


class ReerTest(parameterized.TestCase):
  def test_an_additive_score_is_solved_in_one_round(self):
    config = reer.ReerConfig(rounds=1)
    refined = reer.search(_START, _all_words, _additive, config)
    self.assertEqual(
      [r.text for r in refined],
      ['Best. Best. Best.', 'Best.', 'Best. Best.'],
    )
    # Row 0: e^9 before, e^(3 * 0.25) after.
    self.assertAlmostEqual(refined[0].start_ppl, math.exp(9))
    self.assertAlmostEqual(refined[0].ppl, math.exp(0.75))
    # In each edit one 'Bad.' (3) became 'Best.' (0.25): 9 - 2.75 i.
    self.assertEqual(
      [(e.round, e.before, e.after) for e in refined[0].edits],
      [(1, 'Bad.', 'Best.')] * 3,
    )
    np.testing.assert_allclose(
      [math.log(e.ppl) for e in refined[0].edits], [6.25, 3.5, 0.75]
    )

  def test_leaving_a_sentence_out(self):
    def score(rows, texts):
      return np.array([1.0 + text.count('Bad') for text in texts])

    refined = reer.search(
      ['Bad. Good. Bad.', 'Bad.'], lambda p: [['']] * len(p), score
    )
    # The last sentence of a text can't go.
    self.assertEqual([r.text for r in refined], ['Good.', 'Bad.'])

  def test_a_second_round_goes_on_where_the_first_could_not(self):
    # 'B' is better only beside 'C', which the first pass finds later.
    worth = {
      ('A.', 'A.'): 8.0,
      ('B.', 'A.'): 9.0,
      ('A.', 'C.'): 6.0,
      ('B.', 'C.'): 2.0,
    }

    def score(rows, texts):
      return np.array([worth[tuple(text.split())] for text in texts])

    def propose(places):
      return [[('B.', 'C.')[p.at]] for p in places]

    once, twice = (
      reer.search(['A. A.'], propose, score, reer.ReerConfig(rounds=n))[0]
      for n in (1, 2)
    )
    self.assertEqual((once.text, once.ppl), ('A. C.', 6.0))
    self.assertEqual((twice.text, twice.ppl), ('B. C.', 2.0))
    self.assertEqual([e.round for e in twice.edits], [1, 2])

  @parameterized.parameters(0, 1, 2, 3)
  def test_ends_in_a_local_optimum_and_never_rises(self, seed):
    rng = np.random.default_rng(seed)
    words = ['A.', 'B.', 'C.']
    cost = {
      ' '.join(ws): float(rng.uniform(1, 9))
      for ws in itertools.product(words, repeat=4)
    }

    def score(rows, texts):
      return np.array([cost[text] for text in texts])

    texts = list(cost)[:: 7 + seed]
    refined = reer.search(
      texts, lambda p: [words] * len(p), score, reer.ReerConfig(rounds=50)
    )
    for text, r in zip(texts, refined, strict=True):
      falling = [cost[text], *(e.ppl for e in r.edits)]
      self.assertEqual(falling, sorted(falling, reverse=True))
      self.assertEqual(r.ppl, cost[r.text])
      parts = r.text.split()
      for at, word in itertools.product(range(4), words):
        other = ' '.join([*parts[:at], word, *parts[at + 1 :]])
        self.assertGreaterEqual(cost[other], r.ppl)

  def test_a_text_does_not_depend_on_the_others_nor_on_the_run(self):
    together = reer.search(_START, _all_words, _additive)
    again = reer.search(_START, _all_words, _additive)
    alone = [
      reer.search(
        [text], _all_words, lambda rows, t, n=n: _additive([n] * len(t), t)
      )[0]
      for n, text in enumerate(_START)
    ]
    self.assertEqual(together, again)
    self.assertEqual(together, alone)

  def test_calls_are_batched_and_nothing_is_scored_twice(self):
    seen, calls = [], []

    def score(rows, texts):
      seen.extend(zip(rows, texts, strict=True))
      calls.append(len(texts))
      return _additive(rows, texts)

    texts = ['Bad. Bad.'] * 40
    reer.search(texts, _all_words, score, reer.ReerConfig(rounds=3))
    self.assertLen(set(seen), len(seen))
    # One call for the start and at most one a segment and round.
    self.assertLessEqual(len(calls), 1 + 2 * 3)
    self.assertEqual(calls[0], 40)

  def test_enough_and_least_fall(self):
    enough = reer.ReerConfig(enough=math.exp(5.0))
    refined = reer.search(['Bad. Bad.'], _all_words, _additive, enough)[0]
    # e^6 > e^5; after one edit e^3.25 is enough.
    self.assertLen(refined.edits, 1)
    refined = reer.search(['Fair.'], _all_words, _additive, enough)[0]
    self.assertEqual(refined.edits, ())
    # Good. -> Best. falls by 0.75 only.
    for least, edits in ((0.7, 1), (0.8, 0)):
      config = reer.ReerConfig(least_fall=least)
      refined = reer.search(['Good.'], _all_words, _additive, config)[0]
      self.assertLen(refined.edits, edits)

  def test_what_is_not_allowed_is_not_even_scored(self):
    scored = []

    def score(rows, texts):
      scored.extend(texts)
      return _additive(rows, texts)

    refined = reer.search(
      ['Bad. Bad.'],
      _all_words,
      score,
      allow=lambda row, text: 'Best' not in text,
    )[0]
    self.assertEqual(refined.text, 'Good. Good.')
    self.assertNotIn('Best', ' '.join(scored))

  def test_a_start_that_has_no_score_takes_any_that_has(self):
    def score(rows, texts):
      return np.array([np.nan if 'Bad' in t else 7.0 for t in texts])

    refined = reer.search(['Bad. Good.'], _all_words, score)[0]
    self.assertEqual(refined.start_ppl, math.inf)
    self.assertEqual(refined.ppl, 7.0)

  def test_white_space_stays(self):
    refined = reer.search(
      ['Bad.\n\nBad.  Good.'], lambda p: [[' Best. ']] * len(p), _additive
    )[0]
    self.assertEqual(refined.text, 'Best.\n\nBest.  Best.')

  def test_the_other_texts_of_a_row_are_proposals(self):
    samples = [('Bad. Good.', 'Best. Bad.', 'Fair. Fair. Fair.')]
    refined = reer.search(['Bad. Good.'], reer.others(samples), _additive)[0]
    self.assertEqual(refined.text, 'Best. Good.')

  def test_no_texts_and_no_proposals(self):
    self.assertEqual(reer.search([], _all_words, _additive), [])
    refined = reer.search(['Bad.'], lambda p: [[]] * len(p), _additive)[0]
    self.assertEqual((refined.text, refined.edits), ('Bad.', ()))

  def test_refuses(self):
    with self.assertRaisesRegex(UserError, '^rounds is 0'):
      reer.ReerConfig(rounds=0)
    with self.assertRaisesRegex(UserError, '^enough is nan'):
      reer.ReerConfig(enough=math.nan)
    with self.assertRaisesRegex(ValueError, '1 lists for 2 places'):
      reer.search(['Bad.', 'Bad.'], lambda p: [[]], _additive)
    with self.assertRaisesRegex(ValueError, '0 perplexities for 1'):
      reer.search(['Bad.'], _all_words, lambda rows, texts: [])


if __name__ == '__main__':
  absltest.main()
