"""A journal of version 0.1.0: what was paid for then is not paid for again."""

import pathlib
import shutil

from absl.testing import absltest
import numpy as np

from taiji_jax.ask import AskConfig, Journal
from taiji_jax.cot.teacher import CotRequest
from taiji_jax.cot.teachers import prompt_template
from taiji_jax.cot.teachers.endpoint import EndpointTeacher
from taiji_jax.cot.teachers.model import ModelTeacher, ModelTeacherConfig
from taiji_jax.cot.teachers.text import TeacherText
from taiji_jax.types import Catalog
from tests.ask.fake_client import FakeClient

# See tests/legacy/make_0_1_0.py, which wrote it.
WRITTEN = pathlib.Path(__file__).parents[1] / 'legacy' / 'journal_0_1_0'
CATALOG = Catalog(
  ('1', '2', '3'),
  ('Blue Bench Saw', 'Quiet Drill $5', 'Caf\u00e9 Clamp, 2 inches'),
  (('Tools',), ('Tools', 'Power Tools'), ()),
)
CONFIG = AskConfig(
  'invented-model', 'http://127.0.0.1:9/v1', '', seed=7, max_tokens=64
)
SAMPLING = {'max_tokens': 64, 'temperature': 1.0, 'prefill': '<think>'}
NEW = '<think>New.</think>'


class LegacyJournalTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(self.create_tempdir().full_path) / 'journal'
    shutil.copytree(WRITTEN, self.folder)
    self.journal = self.enterContext(Journal(self.folder))
    self.text = TeacherText(prompt_template.load('rupr_v1'), CATALOG)
    self.client = FakeClient(lambda messages: NEW)

  def requests(self, *rows):
    return [CotRequest(r, {'age': str(20 + r)}, (1, 2), 0) for r in rows]

  def ask(self, *rows):
    teacher = EndpointTeacher(CONFIG, self.text, self.journal, self.client)
    found = teacher(self.requests(*rows), 2)
    self.tally = teacher.tally
    return found

  def test_what_was_spent_adds_up(self):
    # Five answers of 100 and 10 tokens and 0.25 dollars, one of 7 and 3.
    self.assertEqual(self.journal.spent, (507, 53, 1.25))

  def test_answered_samples_are_not_asked_for(self):
    (done, unusable), (after_a_failure, declined) = self.ask(0, 2)
    self.assertEmpty(self.client.names)
    self.assertEqual(done.text, 'They like caf\u00e9s.')
    np.testing.assert_array_equal(
      done.token_logprobs, np.float32([-0.5, -1e-5, -2.0])
    )
    self.assertEqual(after_a_failure.text, 'Saws.')
    self.assertIsNone(after_a_failure.token_logprobs)
    self.assertEqual((unusable.text, declined.text), ('', ''))
    self.assertEqual(self.tally.reused, 4)
    self.assertEqual(self.tally.unusable, 2)
    self.assertEqual(self.tally.usd, 1.25)

  def test_only_what_has_no_answer_is_asked_for(self):
    found = self.ask(0, 1, 2)
    self.assertEqual([one.text for one in found[1]], ['New.', 'New.'])
    # Drawn again with the next draw; failed, asked for once more.
    self.assertCountEqual(
      self.client.names,
      [
        '8a0b4f6a82ee3cdfb8064017993aa9c1-1',
        '8a01786026fd86eb79b9cf663e1202e0-0',
      ],
    )
    self.assertEqual(self.tally.reused, 4)

  def test_samples_of_a_local_model(self):
    def generate(*args, **values):
      raise AssertionError('It was sampled already.')

    config = ModelTeacherConfig(
      'invented-checkpoint',
      {name: SAMPLING[name] for name in ('max_tokens', 'temperature')},
      seed=7,
      prefill='<think>',
    )
    teacher = ModelTeacher(generate, None, self.text, config, self.journal)
    ((done, unusable),) = teacher(self.requests(5000), 2)
    self.assertEqual(done.text, 'They like caf\u00e9s.')
    self.assertLen(done.token_logprobs, 3)
    self.assertEqual(unusable.text, '')


if __name__ == '__main__':
  absltest.main()
