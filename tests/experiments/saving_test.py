"""What a benchmark keeps, and what is told of it."""

import contextlib
import io
import json
import pathlib
import sys
import tempfile

from absl.testing import absltest, flagsaver

from experiments import provenance
from experiments.benchmarks import saving

MACHINE = {'device': 'cpu', 'cores': 2, 'python': '3.11', 'jax': '0.10.2'}


class SavingTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    temporary = tempfile.TemporaryDirectory()
    self.addCleanup(temporary.cleanup)
    self.folder = pathlib.Path(temporary.name) / 'benchmarks'
    self.enter_context(
      absltest.mock.patch.object(saving, 'FOLDER', self.folder)
    )
    argv = ['decode.py', '--rounds=2', '--save=decode', '--workdir=/tmp/x']
    self.enter_context(absltest.mock.patch.object(sys, 'argv', argv))

  def told(self):
    with contextlib.redirect_stdout(io.StringIO()) as out:
      saving.tell({'seconds': 1.5}, 'numpy', 'no-such-package', paths=[[1, 2]])
    return json.loads(out.getvalue())

  def test_prints_and_keeps_nothing(self):
    self.assertEqual(self.told(), {'seconds': 1.5})
    self.assertFalse(self.folder.exists())

  @flagsaver.flagsaver(save='decode')
  def test_keeps(self):
    self.assertEqual(self.told(), {'seconds': 1.5})
    text = (self.folder / 'decode.json').read_text()
    self.assertIn('"paths": [[1, 2]]', text)
    record = json.loads(text)
    self.assertEqual(record['result'], {'seconds': 1.5, 'paths': [[1, 2]]})
    self.assertEndsWith(record['command'], ' --rounds=2')
    self.assertRegex(record['date'], r'^\d{4}-\d\d-\d\d$')
    self.assertIn('numpy', record['machine'])
    self.assertNotIn('no-such-package', record['machine'])


class ToldTest(absltest.TestCase):
  def test_commands_of_one_machine_share_it(self):
    a, b, c = (
      {'command': name, 'date': '2026-11-22', 'machine': MACHINE}
      for name in 'abc'
    )
    c = {**c, 'machine': MACHINE | {'device': 'NVIDIA H100', 'torch': '2.13'}}
    self.assertEqual(
      provenance.told(a, b, c),
      '`a`, `b`, 2026-11-22, two CPU cores, Python 3.11, jax 0.10.2; `c`,'
      ' 2026-11-22, NVIDIA H100, Python 3.11, jax 0.10.2, torch 2.13.',
    )


class SecretsTest(absltest.TestCase):
  def test_what_an_endpoint_is_sent_is_in_no_command(self):
    argv = [
      'x',
      '--config.cot.openai.extra_body.api_token=tok-1\ntok-2',
      '-config.cot.openai.extra_body={"a": "tok-3"}',
      '--config.cot.openai.max_tokens=5',
    ]
    with absltest.mock.patch.object(sys, 'argv', argv):
      told = str(provenance.about('m')) + str(provenance.record('m'))
    self.assertNotIn('tok-', told)
    self.assertIn('--config.cot.openai.extra_body.api_token=***', told)
    self.assertIn('max_tokens=5', told)


if __name__ == '__main__':
  absltest.main()
