"""Mistakes in the endpoint's fields, and keys where none belong."""

from absl.testing import absltest, parameterized

from taiji_jax.ask.config import AskConfig
from taiji_jax.errors import UserError


class AskConfigTest(parameterized.TestCase):
  @parameterized.parameters(
    ({'concurrency': 0}, 'concurrency is 0'),
    ({'tries': 0}, 'tries is 0'),
    ({'try_seconds': 0.0}, 'try_seconds is 0.0'),
    ({'budget_usd': -1.0}, 'budget_usd is -1.0'),
    ({'max_failed': 2.0}, 'max_failed is 2.0'),
    ({'model': ''}, 'model is'),
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


if __name__ == '__main__':
  absltest.main()
