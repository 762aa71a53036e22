"""A real language model behind a real server: llama.cpp's, on loopback.

Long: `TAIJI_GGUF=MODEL.gguf bash tests/run.sh --long llama`, with an instruct
model and the wheel xllamacpp (`pip install --no-deps xllamacpp`).
"""

import contextlib
import importlib.util
import os
import pathlib
import socket
import subprocess
import sys
import time
import urllib.request

from absl.testing import absltest

from taiji_jax.ask import AskConfig, Journal
from taiji_jax.cot.guard.leak_guard import LeakGuard
from taiji_jax.cot.teacher import CotRequest
from taiji_jax.cot.teachers import prompt_template
from taiji_jax.cot.teachers.endpoint import EndpointTeacher
from taiji_jax.cot.teachers.text import TeacherText
from taiji_jax.data import prompts
from taiji_jax.types import Catalog

MODEL = os.environ.get('TAIJI_GGUF', '')
READY = (
  os.environ.get('TAIJI_LONG') == '1'
  and pathlib.Path(MODEL).is_file()
  and importlib.util.find_spec('xllamacpp') is not None
)
SECONDS = 120
SERVER = """
import sys, time, xllamacpp
params = xllamacpp.CommonParams()
params.model.path, params.port = sys.argv[1], int(sys.argv[2])
params.n_ctx, params.n_parallel = 4096, 2
params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 2
server = xllamacpp.Server(params)
time.sleep(float(sys.argv[3]))
"""
CATALOG = Catalog(
  ('1', '2', '3', '4'),
  ('Oak Nest Box', 'Seed Mix, 2 kg', 'Garden Hose, 10 m', 'Tube Bird Feeder'),
  (
    ('Garden', 'Birds', 'Houses'),
    ('Garden', 'Birds', 'Food'),
    ('Garden', 'Watering', 'Hoses'),
    ('Garden', 'Birds', 'Feeders'),
  ),
)


def _free_port() -> int:
  with socket.socket() as one:
    one.bind(('127.0.0.1', 0))
    return one.getsockname()[1]


@absltest.skipUnless(READY, 'long; needs TAIJI_GGUF and xllamacpp')
class LlamaTest(absltest.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    port = _free_port()
    arguments = [MODEL, str(port), str(4 * SECONDS)]
    cls.server = subprocess.Popen(
      [sys.executable, '-c', SERVER, *arguments],
      stdout=subprocess.DEVNULL,
      stderr=subprocess.DEVNULL,
    )
    cls.addClassCleanup(cls.server.wait)
    cls.addClassCleanup(cls.server.kill)
    cls.url = f'http://127.0.0.1:{port}'
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
      with (
        contextlib.suppress(OSError),
        urllib.request.urlopen(f'{cls.url}/health', timeout=5) as answer,
      ):
        if answer.status == 200:
          return
      time.sleep(0.5)
    raise TimeoutError(f'the server was not ready within {SECONDS} s')

  def ask(self, prompt, target, folder):
    """Returns the texts of two requests, and how many were sent."""
    config = AskConfig(
      'model',
      base_url=f'{self.url}/v1',
      key_variable='',
      max_tokens=160,
      concurrency=2,
      try_seconds=SECONDS,
      redraws=2,
      max_failed=1.0,
    )
    text = TeacherText(
      prompt_template.load(prompt),
      CATALOG,
      prompts.PromptConfig(profile_fields=()),
    )
    requests = [
      CotRequest(row, {}, (1, 0), target, candidates=(3, 2)) for row in (0, 1)
    ]
    with Journal(folder) as journal:
      teacher = EndpointTeacher(config, text, journal)
      found = [one for (one,) in teacher(requests, 1)]
      return found, teacher.tally

  def test_it_reasons_backwards_and_is_paid_once(self):
    folder = pathlib.Path(self.create_tempdir())
    found, tally = self.ask('rupr_v2', 3, folder)
    texts = [one.text for one in found if one.text]
    self.assertNotEmpty(texts, tally)
    self.assertFalse(any(one.answer for one in found))
    # What it states of the item is found: the guard reads real texts.
    guard = LeakGuard(CATALOG)
    for text in texts:
      if CATALOG.titles[3].lower() in text.lower():
        self.assertIsNotNone(guard.find(text, 3), text)
    again, _ = self.ask('rupr_v2', 3, folder)
    self.assertEqual(again, found)

  def test_it_answers_where_it_is_not_told(self):
    found, tally = self.ask(
      'direct_v2', None, pathlib.Path(self.create_tempdir())
    )
    answered = [one for one in found if one.text]
    self.assertNotEmpty(answered, tally)
    for one in answered:
      title, _ = prompts.parse_item(one.answer)
      self.assertIsNotNone(title, one.answer)


if __name__ == '__main__':
  absltest.main()
