"""Mistakes in the endpoint's fields, and keys where none belong."""

import dataclasses

from absl.testing import absltest, parameterized

from taiji_jax.ask.config import AskConfig
from taiji_jax.ask.spending import Prices
from taiji_jax.errors import UserError


class AskConfigTest(parameterized.TestCase):
  @parameterized.parameters(
    ({'concurrency': 0}, 'concurrency is 0'),
    ({'tries': 0}, 'tries is 0'),
    ({'try_seconds': 0.0}, 'try_seconds is 0.0'),
    ({'most_pause': 0.0}, 'most_pause is 0.0'),
    ({'budget_usd': -1.0}, 'budget_usd is -1.0'),
    ({'max_failed': 2.0}, 'max_failed is 2.0'),
    ({'model': ''}, 'model is'),
    ({'stop': ('',)}, 'stop is'),
    ({'stop': 'text'}, 'stop is'),
    ({'max_tokens_field': 'n'}, 'max_tokens or max_completion_tokens'),
    ({'base_url': 'localhost:80'}, 'base_url is'),
    ({'base_url': 'http://[x/v1'}, 'base_url is'),
  )
  def test_mistakes(self, changes, message):
    with self.assertRaisesRegex(UserError, message):
      AskConfig(**({'model': 'm'} | changes))

  @parameterized.parameters(
    {'key_variable': 'sk-SECRET'},
    {'base_url': 'https://me:sk-SECRET@host/v1'},
    {'base_url': 'https://host/v1?key=sk-SECRET'},
  )
  def test_a_key_put_there_is_not_told(self, **changes):
    with self.assertRaisesRegex(UserError, 'environment') as caught:
      AskConfig(model='m', **changes)
    self.assertNotIn('SECRET', str(caught.exception))

  def test_what_changes_no_text_is_no_part_of_the_identity(self):
    changes = {
      'base_url': 'http://127.0.0.1:9/v1',
      'key_variable': 'OTHER',
      'stream': True,
      'max_tokens_field': 'max_completion_tokens',
      'logprobs': True,
      'concurrency': 1,
      'tries': 1,
      'try_seconds': 1.0,
      'sample_seconds': 1.0,
      'first_backoff': 2.0,
      'most_backoff': 2.0,
      'most_pause': 2.0,
      'requests_per_minute': 1.0,
      'tokens_per_minute': 1.0,
      'prices': Prices(1.0, 1.0),
      'budget_usd': 1.0,
      'max_failed': 0.5,
      'give_up_after': 1,
    }
    self.assertEqual(AskConfig('m', **changes).identity(), {'model': 'm'})
    of_texts = {
      'seed': 1,
      'temperature': None,
      'top_p': 0.5,
      'max_tokens': 1,
      'send_seed': False,
      'redraws': 0,
      'stop': ('x',),
    }
    found = AskConfig('m', **changes, **of_texts).identity()
    # Plain JSON has lists.
    self.assertEqual(found, {'model': 'm', **of_texts, 'stop': ['x']})
    # Every field is of one kind or the other.
    fields = {field.name for field in dataclasses.fields(AskConfig)}
    self.assertEqual(fields, {'model', 'extra_body', *changes, *of_texts})

  def test_a_field_s_name_and_logprobs_change_no_draw(self):
    plain = AskConfig('m', max_tokens=9)
    renamed = AskConfig(
      'm',
      max_tokens=9,
      max_tokens_field='max_completion_tokens',
      logprobs=True,
    )
    self.assertEqual(plain.drawing(), plain.sampling())
    self.assertEqual(renamed.drawing(), plain.sampling())
    # What earlier versions hashed is looked for as well.
    self.assertIn(renamed.sampling(), plain.former_drawings())
    self.assertIn(renamed.sampling(), renamed.former_drawings())
    self.assertLen(plain.former_drawings(), 3)
    own = AskConfig('m', extra_body={'logprobs': True, 'top_logprobs': 2})
    self.assertEqual(own.drawing(), own.sampling())
    self.assertEmpty(own.former_drawings())

  def test_extra_body_is_masked_and_counts(self):
    secret = {'top_k': 5, 'who': {'token': 'sk-SECRET'}}
    one = AskConfig('m', extra_body=secret).identity()
    self.assertNotIn('SECRET', str(one))
    self.assertEqual(list(one['extra_body']), ['top_k', 'who'])
    other = AskConfig('m', extra_body=secret | {'top_k': 6}).identity()
    self.assertEqual(other['extra_body']['who'], one['extra_body']['who'])
    self.assertNotEqual(other, one)


if __name__ == '__main__':
  absltest.main()
