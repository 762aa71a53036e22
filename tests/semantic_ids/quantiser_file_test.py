import os
import pathlib

# Small programs, compiled once each.
os.environ['XLA_FLAGS'] = ' '.join(
  (
    os.environ.get('XLA_FLAGS', ''),
    '--xla_backend_optimization_level=0',
    '--xla_llvm_disable_expensive_passes=true',
  )
)

from absl.testing import absltest, parameterized
import numpy as np
from safetensors import numpy as safetensors_numpy

from taiji_jax.errors import UserError
from taiji_jax.semantic_ids import quantiser_file
from taiji_jax.semantic_ids.fit import fit
from tests.semantic_ids import made


class QuantiserFileTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.path = pathlib.Path(self.create_tempdir()) / 'quantiser.safetensors'

  @parameterized.parameters('rq_vae', 'balanced', 'random')
  def test_encodes_as_before(self, method):
    vector_nd = made.vectors()
    before = fit(vector_nd, made.config(method, steps=3)).quantiser
    quantiser_file.save(self.path, before)
    after = quantiser_file.load(self.path)
    self.assertEqual(after.method, method)
    self.assertEqual(after.network, before.network)
    np.testing.assert_array_equal(
      after.encode(vector_nd), before.encode(vector_nd)
    )
    code_nl = before.encode(vector_nd)
    np.testing.assert_array_equal(after.decode(code_nl), before.decode(code_nl))

  def test_refuses(self):
    with self.assertRaisesRegex(UserError, "can't be read"):
      quantiser_file.load(self.path)
    self.path.write_bytes(b'no such thing')
    with self.assertRaisesRegex(UserError, "can't be read .*; make it anew"):
      quantiser_file.load(self.path)
    safetensors_numpy.save_file({'a': np.ones(3)}, self.path)
    with self.assertRaisesRegex(UserError, 'no quantiser of this version'):
      quantiser_file.load(self.path)

  def test_arrays_that_do_not_fit(self):
    quantiser = fit(made.vectors(), made.config('rq_kmeans')).quantiser
    quantiser_file.save(self.path, quantiser)
    tensors = safetensors_numpy.load_file(self.path)
    about = {'format': quantiser_file._FORMAT, 'method': 'rq_kmeans'}
    for name, array, message in (
      ('price_lk', np.ones((2, 3)), 'prices of .2, 3., which do not fit'),
      ('shift_d', np.ones((2, 3)), 'no shift_d of 1 axes'),
    ):
      safetensors_numpy.save_file(tensors | {name: array}, self.path, about)
      with self.assertRaisesRegex(UserError, message):
        quantiser_file.load(self.path)


if __name__ == '__main__':
  absltest.main()
