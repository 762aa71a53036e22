import os

# Small programs, compiled once each.
os.environ['XLA_FLAGS'] = ' '.join(
  (
    os.environ.get('XLA_FLAGS', ''),
    '--xla_backend_optimization_level=0',
    '--xla_llvm_disable_expensive_passes=true',
  )
)

from absl.testing import absltest, parameterized

from taiji_jax.config import build
from taiji_jax.errors import UserError
from taiji_jax.semantic_ids.config import SemanticIdConfig


class ConfigTest(parameterized.TestCase):
  @parameterized.parameters(
    ('method', 'kmeans', "'kmeans'; choose one of rq_vae, rq_kmeans, balanced"),
    ('collisions', 'append', "'append'; choose one of none, sinkhorn, hungar"),
    ('start', 'zeros', "'zeros'; choose one of plus_plus, random"),
    ('levels', 0, 'levels is 0; it must be at least 1'),
    ('codes', 1, 'codes is 1; give at least 2'),
    ('codes', 1 << 21, 'at most 1,048,576'),
    ('beta', -1.0, 'beta is -1.0; give 0 or more'),
    ('beta', float('nan'), 'beta is nan; give 0 or more'),
    ('lr', 0.0, 'lr is 0.0; it must be above 0'),
    ('batch', 0, 'batch is 0'),
    ('ema_decay', 1.0, r'ema_decay is 1.0; it must lie in \[0, 1\)'),
    ('check_from', 1.0, 'check_from is 1.0'),
    ('hidden', (0,), 'hidden is'),
    ('seed', -1, 'seed is -1'),
  )
  def test_refuses(self, name, value, message):
    with self.assertRaisesRegex(UserError, message):
      SemanticIdConfig(**{name: value})

  def test_as_a_section_of_a_recipe(self):
    found = build(SemanticIdConfig, 'ids', {'hidden': [64], 'beta': 1})
    self.assertEqual((found.hidden, found.beta), ((64,), 1.0))
    with self.assertRaisesRegex(UserError, '^ids.codes is 1; '):
      build(SemanticIdConfig, 'ids', {'codes': 1})

  def test_optimizer(self):
    optimizer = SemanticIdConfig(lr=0.5, steps=7).optimizer()
    self.assertEqual((optimizer.lr, optimizer.steps), (0.5, 7))


if __name__ == '__main__':
  absltest.main()
