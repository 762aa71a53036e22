"""The template teacher: evidence from training only, guarded, by seed."""

import dataclasses

from absl.testing import absltest, parameterized
import numpy as np

from taiji_jax.cot import evidence
from taiji_jax.cot.guard.leak_guard import leaks
from taiji_jax.cot.teacher import CotRequest
from taiji_jax.cot.teachers.template import TemplateTeacher
from taiji_jax.errors import UserError
from taiji_jax.types import Catalog, Log

_CATALOG = Catalog(
  item_ids=tuple('abcdef'),
  titles=(
    'Heat (1995)',
    'Heat 2 (1999)',
    'Big (1988)',
    'Alien (1979)',
    'Odd',
    'Casino (1995)',
  ),
  categories=(
    ('Action', 'Action, Crime', 'Action, Crime 1990s'),
    ('Action', 'Action, Crime', 'Action, Crime 1990s'),
    ('Comedy', 'Comedy', 'Comedy 1980s'),
    ('Horror', 'Horror', 'Horror 1970s'),
    (),
    ('Drama', 'Drama', 'Drama 1990s'),
  ),
)


def _log(walks: list[list[int]]) -> Log:
  """Returns a log in which user u clicks walks[u] at times 0, 1, ..."""
  events = sorted(
    (time, item, user)
    for user, walk in enumerate(walks)
    for time, item in enumerate(walk)
  )
  time, item, user = np.array(events).T
  everything = np.ones(len(events), bool)
  return Log(
    user_ids=tuple(map(str, range(len(walks)))),
    profiles=({'gender': 'M', 'secret': 'x'},) * len(walks),
    user_e=user.astype(np.int32),
    item_e=item.astype(np.int32),
    time_e=time,
    click_e=everything,
    conversion_e=everything,
  )


_LOG = _log([[2, 3, 5], [2, 3], [3, 2], [0, 1], [0, 1], [4, 5]])
_ALL = np.ones(len(_LOG), bool)


def _request(target, *history, row=0):
  return CotRequest(row, {'gender': 'M', 'secret': 'x'}, history, target)


# And what followed often enough to be named.
_MORE = _log(
  [[2, 3, 5], [2, 3], [2, 3], [2, 3], [2, 3], [0, 1], [0, 1], [4, 5], [5, 1]]
)


def _teacher(log):
  return TemplateTeacher(
    log, _CATALOG, np.ones(len(log), bool), profile_fields=('gender',)
  )


def _listed(target, candidates, *history, row=0):
  asked = _request(target, *history, row=row)
  return dataclasses.replace(asked, candidates=candidates)


class EvidenceTest(absltest.TestCase):
  def test_followers_by_hand(self):
    counts = evidence.followers(_LOG, _CATALOG, _ALL, window=1)
    # 2 -> 3 twice, 3 -> 5 once, 3 -> 2 once; 2 -> 5 is two clicks away.
    np.testing.assert_array_equal(counts.count([2, 4, 3], 3), [2, 0, 0])
    np.testing.assert_array_equal(counts.count([2, 3], 5), [0, 1])
    wider = evidence.followers(_LOG, _CATALOG, _ALL, window=2)
    np.testing.assert_array_equal(wider.count([2, 3], 5), [1, 1])
    self.assertEqual(counts.ranked([2], 1), [3])
    self.assertEqual(counts.ranked([5], 1), [])

  def test_events_outside_the_training_part_count_for_nothing(self):
    events = _LOG.time_e < 1
    counts = evidence.followers(_LOG, _CATALOG, events)
    self.assertEqual(counts.count([0, 2, 3], 3).sum(), 0)
    later = _LOG.time_e >= 1
    counts = evidence.followers(_LOG, _CATALOG, later)
    np.testing.assert_array_equal(counts.count([2, 3], 5), [0, 1])

  def test_affinities_by_hand(self):
    # 50 women click item 2 (Comedy), 50 men half 2, half 3 (Horror): Comedy is
    # 75 of 100 clicks; for women 1 / .75 = 4/3, for men .5 / .75 = 2/3.
    log = _log([[2]] * 50 + [[2]] * 25 + [[3]] * 25)
    profiles = ({'gender': 'F'},) * 50 + ({'gender': 'M'},) * 50
    log = Log(**(vars(log) | {'profiles': profiles}))
    found = evidence.affinities(log, _CATALOG, np.ones(100, bool), ('gender',))
    self.assertAlmostEqual(found.lift['gender', 'F', 'Comedy'], 4 / 3)
    self.assertAlmostEqual(found.lift['gender', 'M', 'Comedy'], 2 / 3)
    self.assertAlmostEqual(found.lift['gender', 'M', 'Horror'], 2.0)
    self.assertEqual(
      found.strongest({'gender': 'M'}, 'Horror'), ('gender', 'M')
    )
    self.assertIsNone(found.strongest({'gender': 'M'}, 'Comedy'))


class OwnEventTest(absltest.TestCase):
  """An event is no evidence of itself."""

  def test_followers_without_the_event(self):
    counts = evidence.followers(_LOG, _CATALOG, _ALL, window=1)
    # 2 -> 3 twice, one of them the event's own; beyond the window it has none.
    np.testing.assert_array_equal(counts.count([2, 4], 3, True), [1, 0])
    np.testing.assert_array_equal(counts.count([3, 2], 5, True), [0, 0])
    wider = evidence.followers(_LOG, _CATALOG, _ALL, window=2)
    np.testing.assert_array_equal(wider.count([3, 2], 5, True), [0, 0])
    # What stands there twice was counted twice.
    twice = evidence.followers(_log([[2, 2, 3]]), _CATALOG, np.ones(3, bool))
    np.testing.assert_array_equal(twice.count([2, 2], 3), [2, 2])
    np.testing.assert_array_equal(twice.count([2, 2], 3, True), [0, 0])

  def test_affinities_without_the_event(self):
    # Women click Horror 1 of 50 times, all 2 of 101: a lift of 1.01 with the
    # event, of 0 without.
    log = _log([[3]] + [[2]] * 49 + [[3]] + [[2]] * 50)
    profiles = ({'gender': 'F'},) * 50 + ({'gender': 'M'},) * 51
    log = Log(**(vars(log) | {'profiles': profiles}))
    found = evidence.affinities(log, _CATALOG, np.ones(101, bool), ('gender',))
    woman = {'gender': 'F'}
    self.assertEqual(found.strongest(woman, 'Horror'), ('gender', 'F'))
    self.assertIsNone(found.strongest(woman, 'Horror', True))

  def test_as_likely_as_for_all_is_no_affinity(self):
    log = _log([[3]] * 50 + [[3]] * 50)
    profiles = ({'gender': 'F'},) * 50 + ({'gender': 'M'},) * 50
    log = Log(**(vars(log) | {'profiles': profiles}))
    found = evidence.affinities(log, _CATALOG, np.ones(100, bool), ('gender',))
    self.assertIsNone(found.strongest({'gender': 'F'}, 'Horror'))

  def test_an_event_that_is_not_counted_is_not_taken_off(self):
    # 2 -> 3 four times among others: a fan's reason. The user's own is not
    # counted.
    log = _log([[2, 3, 5], [2, 3], [2, 3], [2, 3], [2, 3]])
    event = int(np.flatnonzero((log.user_e == 0) & (log.item_e == 3))[0])
    counted = np.arange(len(log)) != event
    teacher = TemplateTeacher(log, _CATALOG, counted)
    texts = [
      teacher([CotRequest(0, {}, (2,), 3, event=e)], 1)[0][0].text
      for e in (event, -1)
    ]
    self.assertEqual(*texts)
    self.assertRegex(texts[0], 'Fans of|After')

  def test_a_text_is_the_same_with_and_without_its_own_event(self):
    rng = np.random.default_rng(0)
    log = _log([rng.permutation(6).tolist() for _ in range(40)])
    everything = np.ones(len(log), bool)
    for event in np.flatnonzero(log.time_e == 3)[:20]:
      user = log.user_e[event]
      before = (log.user_e == user) & (log.time_e < 3)
      history = log.item_e[before][np.argsort(-log.time_e[before])]
      request = CotRequest(
        0,
        {'gender': 'M'},
        tuple(history.tolist()),
        int(log.item_e[event]),
        event=int(event),
      )
      texts = []
      # Followers of the same log, but of which this user saw nothing more.
      without = everything & ~(np.arange(len(log)) == event)
      for events in (everything, without):
        later = (log.user_e == user) & (log.time_e > 3)
        teacher = TemplateTeacher(
          log, _CATALOG, events & ~later, profile_fields=('gender',)
        )
        texts.append(teacher([request], 3)[0])
      self.assertEqual(*texts)


class TeacherTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self._teacher = _teacher(_LOG)

  def _text(self, request):
    return self._teacher([request], 1)[0][0].text

  def test_leads_from_the_evidence_to_the_path_of_the_answer(self):
    text = _teacher(_MORE)([_request(3, 5, 2)], 1)[0][0].text
    # 2 was followed by 3 five times: it is the evidence, not the later 5.
    self.assertIn('Drama 1990s', text)
    self.assertIn('Big (1988)', text)
    self.assertEndsWith(text, 'Horror 1970s.')
    self.assertNotIn('Alien', text)

  def test_a_history_title_that_states_the_target_is_left_out(self):
    # 'Heat 2' was seen after 'Heat' and shares all levels, but holds its name.
    text = self._text(_request(0, 1, 2))
    self.assertNotIn('Heat', text)
    self.assertEndsWith(text, 'Action, Crime 1990s.')

  def test_nothing_leaks_over_all_pairs(self):
    requests = [
      _request(target, *history, row=row)
      for row, (target, history) in enumerate(
        (t, h)
        for t in range(6)
        for h in [(), (4,), (1, 2), (0, 1, 2, 3, 4, 5), (5, 4, 3, 2, 1, 0)]
      )
    ]
    for request, samples in zip(
      requests, self._teacher(requests, 4), strict=True
    ):
      self.assertLen(samples, 4)
      for sample in samples:
        self.assertIsNone(sample.token_logprobs)
        self.assertNotEmpty(sample.text.strip())
        self.assertIsNone(leaks(sample.text, _CATALOG, request.target))

  def test_a_text_depends_on_seed_and_row_alone(self):
    requests = [_request(3, 5, 2, row=row) for row in range(20)]
    whole = self._teacher(requests, 2)
    again = self._teacher(requests[7:8], 2)
    self.assertEqual(whole[7], again[0])
    self.assertGreater(len({samples[0].text for samples in whole}), 2)
    other = TemplateTeacher(
      _LOG, _CATALOG, _ALL, profile_fields=('gender',), seed=1
    )
    self.assertNotEqual(whole, other(requests, 2))

  def test_samples_of_one_request_differ(self):
    samples = self._teacher([_request(3, 5, 2)], 3)[0]
    self.assertLen({sample.text for sample in samples}, 3)

  def test_fields_that_the_prompt_hides_are_not_evidence(self):
    for row in range(20):
      samples = self._teacher([_request(3, row=row)], 3)[0]
      self.assertNotIn('secret', ''.join(s.text for s in samples))

  def test_what_nothing_supports_is_not_named(self):
    # 3 came after nothing of this history, and shares no category.
    for samples in self._teacher([_request(3, 5, row=r) for r in range(9)], 3):
      for sample in samples:
        self.assertNotIn('Horror', sample.text)
        self.assertRegex(sample.text, 'mood|new|sign')
    # Of 0's path the history shows the first two levels: of 1, all three.
    catalog = dataclasses.replace(
      _CATALOG,
      categories=(
        ('Action', 'Action, Crime', 'Action, Crime 1980s'),
        *_CATALOG.categories[1:],
      ),
    )
    teacher = TemplateTeacher(_LOG, catalog, _ALL)
    text = teacher([_request(0, 1, 2)], 1)[0][0].text
    self.assertEndsWith(text, 'Action, Crime.')

  def test_a_history_twice_is_no_more_support(self):
    # 2 -> 3 three times is one too few, however often 2 stands there.
    log = _log([[2, 3], [2, 3], [2, 3]])
    text = _teacher(log)([_request(3, 2, 2, 2)], 1)[0][0].text
    self.assertNotIn('Horror', text)

  def test_a_kind_beats_the_candidates_others(self):
    texts = [
      samples[0].text
      for samples in _teacher(_MORE)(
        [_listed(3, (3, 5, 0), 2, row=r) for r in range(20)], 1
      )
    ]
    for text in texts:
      self.assertRegex(
        text,
        'Big .1988.( pick | many pick )Horror 1970s'
        '( rather than |, not )(Drama 1990s|Action, Crime 1990s).$',
      )
    self.assertGreater(len(set(texts)), 3)

  def test_a_rival_that_the_evidence_speaks_for_is_not_beaten(self):
    # After 2 came 5 oftener than 3.
    log = _log([[2, 5]] * 6 + [[2, 3]] * 5)
    text = _teacher(log)([_listed(3, (5, 3), 2)], 1)[0][0].text
    self.assertEndsWith(text, 'Horror 1970s.')
    self.assertNotIn('Drama 1990s', text.split('. ', 1)[1])

  def test_no_rival_where_no_candidate_is_of_the_kind(self):
    text = _teacher(_MORE)([_listed(3, (0, 5), 2)], 1)[0][0].text
    self.assertEndsWith(text, 'Horror 1970s.')
    self.assertNotRegex(text, 'rather than|, not ')

  def test_candidates_show_a_category(self):
    text = self._text(_listed(3, (3, 5), 0))
    self.assertEndsWith(text, 'Horror 1970s.')
    self.assertNotIn('Alien', text)

  def test_the_guess_is_a_candidate(self):
    for candidates, answer in (
      # After 2 came 3 five times, 5 once.
      ((0, 5, 3), 'Alien (1979)'),
      ((0, 5), 'Casino (1995)'),
      ((-1, 0, 4), 'Heat (1995)'),
      # One of the history too.
      ((2, 0), 'Big (1988)'),
    ):
      request = _listed(None, candidates, 2)
      for sample in _teacher(_MORE)([request], 3)[0]:
        self.assertStartsWith(sample.answer, f'Item title: {answer}')

  def test_a_candidate_that_is_no_item(self):
    for target in (3, None):
      with self.assertRaisesRegex(UserError, 'candidate 6 of row 0 .* has 6'):
        self._text(_listed(target, (6,), 2))
    with self.assertRaisesRegex(UserError, 'candidate -2'):
      self._text(_listed(3, (-2,), 2))
    asked = _listed(3, (-1, 2, -1), 2)
    self.assertEqual(asked.candidates_of(6), (2,))

  def test_another_item_than_the_events_is_no_event_of_its_own(self):
    # 2 -> 3 four times, one of them the event's: but the target is 5.
    log = _log([[2, 3, 5]] * 4)
    event = int(np.flatnonzero(log.item_e == 3)[0])
    teacher = _teacher(log)
    one, other = (
      teacher([CotRequest(0, {}, (2,), 5, event=e)], 1)[0][0].text
      for e in (event, -1)
    )
    self.assertEqual(one, other)
    self.assertIn('Drama', one)
    asked = CotRequest(0, {}, (2,), 3, event=event)
    self.assertNotIn('Horror', teacher([asked], 1)[0][0].text)

  def test_without_the_target_it_reasons_forwards(self):
    # What came most often after 2 is 3.
    text = self._text(_request(None, 2))
    self.assertEndsWith(text, 'Horror 1970s.')
    self.assertNotEmpty(self._text(_request(None)))


if __name__ == '__main__':
  absltest.main()
