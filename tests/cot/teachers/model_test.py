"""A real, tiny and random decoder as teacher."""

import functools
import pathlib
import tempfile

from absl.testing import absltest, parameterized
import jax
import jax.numpy as jnp
import numpy as np

from taiji_jax import interrupt
from taiji_jax.ask.journal import Journal
from taiji_jax.ask.question import draw_seed
from taiji_jax.cot.teacher import CotRequest
from taiji_jax.cot.teachers import prompt_template
from taiji_jax.cot.teachers.model import ModelTeacher, ModelTeacherConfig
from taiji_jax.cot.teachers.text import TeacherText
from taiji_jax.decode import BatchConfig, Generation, Sampler
from taiji_jax.decode.sampling import SampleConfig
from taiji_jax.errors import UserError
from taiji_jax.modules.decoder import Decoder
from taiji_jax.modules.decoder_config import DecoderConfig
from taiji_jax.types import Catalog

_CATALOG = Catalog(('1', '2'), ('Saw', 'Drill'), (('Tools',), ()))
_EOS, _CLOSE = 1, 2
_WORDS = {
  0: '',
  _EOS: '',
  _CLOSE: '</think>',
  **{i: chr(ord('a') + i - 3) for i in range(3, 28)},
  28: '_',
}
_SAMPLING = {'max_tokens': 40, 'temperature': 1.0}


class Words:
  """29 tokens: letters, and the tags as one token each."""

  def encode(self, text):
    if text == '<think>':
      return [28]
    return [3 + ord(c) % 25 for c in text]

  def decode(self, ids):
    return ''.join(_WORDS[int(i)] for i in ids)

  def chat(self, messages):
    return self.encode(messages[-1]['content'][:20])


class Counted:
  """The generator, and how much it was asked for."""

  def __init__(self):
    self.seeds, self.most = [], 0

  def __call__(self, prompts, seeds, **values):
    self.seeds += list(seeds)
    self.most = max(self.most, len(seeds))
    return generator()(prompts, seeds, **values)


@functools.cache
def generator():
  decoder = Decoder(
    DecoderConfig(
      vocab_size=29,
      num_layers=1,
      width=16,
      num_heads=4,
      num_kv_heads=2,
      mlp_width=16,
    )
  )
  rng = np.random.default_rng(0)
  one = np.ones((1, 4), np.int32)
  shapes = jax.eval_shape(decoder.init, jax.random.key(0), one, one, one)
  params = jax.tree.map(
    lambda x: jnp.float32(rng.normal(size=x.shape) * 0.1), shapes
  )
  return Sampler(
    decoder,
    params,
    SampleConfig(eos_id=_EOS, pad_id=0, **_SAMPLING),
    BatchConfig(rows=1, check_every=8, shortest=32),
    decode=Words().decode,
  )


def requests(rows, target=0):
  return [CotRequest(r, {'age': f'{r}{r}'}, (1, 0), target) for r in rows]


class ModelTeacherTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))

  def test_a_signal_ends_it_behind_the_batch(self):
    with interrupt.deferred() as flag:

      def generate(*args, **values):
        flag.signal_number = 15
        return generator()(*args, **values)

      with self.assertRaisesRegex(interrupt.Interrupted, 'all of them kept'):
        self.ask(requests(range(3)), generate=generate, batch=2)
    self.ask(requests(range(3)))
    # Two of six were kept.
    self.assertLen(self.generate.seeds, 4)

  def ask(self, asked, k=2, generate=None, prompt='rupr_v1', **changes):
    values = {'model': 'tiny', 'sampling': _SAMPLING, 'prefill': '<think>'}
    self.generate = generate or Counted()
    with Journal(self.folder) as journal:
      self.teacher = ModelTeacher(
        self.generate,
        Words(),
        TeacherText(prompt_template.load(prompt), _CATALOG),
        ModelTeacherConfig(**(values | changes)),
        journal,
      )
      return self.teacher(asked, k)

  def test_samples_are_the_generator_s(self):
    found = self.ask(requests(range(8)))
    self.assertEqual([len(own) for own in found], [2] * 8)
    prompts = [
      [*Words().encode(f'User: age {row}{row}\nHistory, '[:20]), 28]
      for row in range(8)
    ]
    seeds = [draw_seed(0, row, n) for row in range(8) for n in range(2)]
    drawn = generator()(prompts, seeds, stop=('</think>',))
    done = 0
    for one, alone in zip(sum(found, []), drawn, strict=True):
      if alone.reason != 'stop' or not alone.text:
        self.assertEqual(one.text, '')
        self.assertIsNone(one.token_logprobs)
        continue
      done += 1
      self.assertEqual(one.text, alone.text)
      # A letter is a token here.
      self.assertLen(one.token_logprobs, len(one.text))
      np.testing.assert_allclose(
        one.token_logprobs, alone.logp[: len(one.text)], atol=1e-4
      )
    self.assertBetween(done, 4, 15)
    self.assertEqual(self.teacher.tally.answered, done)
    self.assertEqual(self.teacher.tally.unusable, 16 - done)

  def test_resumed_run_draws_what_is_missing(self):
    whole = self.ask(requests(range(4)))
    with tempfile.TemporaryDirectory() as folder:
      self.folder = pathlib.Path(folder)
      # One sample of row 1, both of row 3.
      self.ask(requests([1]), 1)
      self.ask(requests([3]), 2)
      parts = self.ask(requests(range(4)))
      self.assertCountEqual(
        self.generate.seeds,
        [draw_seed(0, r, s) for r in (0, 2) for s in (0, 1)]
        + [draw_seed(0, 1, 1)],
      )
      again = self.ask(requests(range(4)))
      self.assertEmpty(self.generate.seeds)
      self.assertEqual(self.teacher.tally.reused, 8)
    for found in (parts, again):
      for one, other in zip(sum(whole, []), sum(found, []), strict=True):
        self.assertEqual(one.text, other.text)
        if one.token_logprobs is None:
          self.assertIsNone(other.token_logprobs)
        else:
          np.testing.assert_allclose(
            one.token_logprobs, other.token_logprobs, atol=1e-4
          )

  def test_stopped_between_batches(self):
    class Stopped(Counted):
      def __call__(self, *args, **values):
        if len(self.seeds) >= 4:
          raise KeyboardInterrupt
        return super().__call__(*args, **values)

    with self.assertRaises(KeyboardInterrupt):
      self.ask(requests(range(5)), generate=Stopped(), batch=4)
    self.ask(requests(range(5)), batch=4)
    self.assertLen(self.generate.seeds, 6)
    self.assertEqual(self.generate.most, 4)

  @parameterized.parameters(
    {'model': 'b'}, {'seed': 1}, {'sampling': {}}, {'prefill': ''}
  )
  def test_others_are_drawn_anew(self, **changes):
    self.ask(requests([0]))
    self.ask(requests([0]), **changes)
    self.assertLen(self.generate.seeds, 2)

  def test_answers_of_its_own(self):
    text = 'think</think><answer>Item title: Saw'

    class Fixed(Counted):
      def __call__(self, prompts, seeds, *, stop):
        self.seeds += seeds
        self.stop = stop
        return [
          Generation(tuple(range(3, 9)), text, (-0.5,) * 6, 'stop')
          for _ in seeds
        ]

    found = self.ask(
      requests([0], None), 1, generate=Fixed(), prompt='direct_v1'
    )
    self.assertEqual(self.generate.stop, ('</answer>',))
    self.assertEqual(found[0][0].answer, 'Item title: Saw')
    self.assertEqual(found[0][0].text, 'think')

  def test_mistakes(self):
    with self.assertRaisesRegex(UserError, 'row 0 has 21 tokens'):
      self.ask(requests([0]), max_prompt=20)
    with self.assertRaisesRegex(UserError, 'batch is 0'):
      self.ask(requests([0]), batch=0)
    with self.assertRaisesRegex(UserError, 'rupr_v1 tells'):
      self.ask(requests([0], None))


if __name__ == '__main__':
  absltest.main()
