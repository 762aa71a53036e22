import dataclasses
import types
from unittest import mock

from absl.testing import absltest, parameterized
import jax
import jax.numpy as jnp
import numpy as np

from taiji_jax import pareto, sharding, train_state
from taiji_jax.errors import UserError
from taiji_jax.modules.decoder import Decoder
from taiji_jax.modules.decoder_config import DecoderConfig
from taiji_jax.modules.id_tower import IdTower, IdTowerConfig
from taiji_jax.sharding import MeshConfig
from taiji_jax.train_state import OptimizerConfig

P = jax.P


def mesh_of(data=1, fsdp=1, tensor=1):
  """Stands in for a mesh with more devices than there are."""
  shape = {'data': data, 'fsdp': fsdp, 'tensor': tensor}
  return types.SimpleNamespace(shape=shape)


def spec_of(path, shape, **mesh):
  return sharding.spec_of(path, shape, mesh_of(**mesh))


class SpecTest(parameterized.TestCase):
  @parameterized.parameters(
    ('blocks/attention/query/kernel', (2, 8, 4), (None, 'fsdp', 'tensor')),
    ('blocks/attention/out/kernel', (2, 4, 8), (None, 'tensor', 'fsdp')),
    ('blocks/mlp/down/kernel', (2, 4, 8), (None, 'tensor', 'fsdp')),
    ('blocks/mlp_norm/scale', (2, 8), (None, None)),
    ('embedding', (6, 8), ('tensor', 'fsdp')),
    ('head', (8, 6), ('fsdp', 'tensor')),
    ('item_embedding', (6, 8), (None, None)),
  )
  def test_table(self, path, shape, expected):
    # Moments of the optimiser lie where their parameter does.
    for before in ('', 'params/', 'opt_state/1/0/mu/params/'):
      self.assertEqual(
        spec_of(before + path, shape, fsdp=2, tensor=2), P(*expected)
      )

  def test_scalars_are_whole(self):
    self.assertEqual(spec_of('opt_state/count', ()), P())

  @parameterized.parameters(
    'params/conv/kernel', 'my_embedding_table', 'embeddings', 'xhead',
    'blocks/attention/query/offset',
  )  # fmt: skip
  def test_unmatched(self, path):
    with self.assertRaisesRegex(UserError, f'{path} .*matches no rule'):
      spec_of(path, (2, 8, 4))

  def test_another_number_of_axes(self):
    with self.assertRaisesRegex(UserError, 'embedding has 3 axes.* 2 '):
      spec_of('embedding', (2, 3, 4))

  def test_colliding_axes(self):
    rules = ((r'clash/kernel', ('heads', 'mlp')), *sharding.RULES)
    self.enter_context(mock.patch.object(sharding.rules, 'RULES', rules))
    with self.assertRaisesRegex(UserError, 'two axes on one mesh axis'):
      spec_of('clash/kernel', (4, 4))

  @parameterized.parameters(
    ({'fsdp': 3}, '8 does not divide by mesh.fsdp=3'),
    ({'tensor': 5}, '6 does not divide by mesh.tensor=5'),
  )
  def test_dimension_does_not_divide(self, mesh, message):
    with self.assertRaisesRegex(UserError, f'embedding .6, 8.: {message}'):
      spec_of('params/embedding', (6, 8), **mesh)

  def test_data_axis_never_divides_parameters(self):
    self.assertEqual(spec_of('embedding', (6, 8), data=7), P('tensor', 'fsdp'))


class ModelsTest(parameterized.TestCase):
  def assert_covered(self, init, weighting, spread):
    tx = OptimizerConfig(lr=0.1, steps=2).make()
    shapes = jax.eval_shape(
      lambda: train_state.create(init(), tx, 0, weighting)
    )
    found = set()
    for path, x in jax.tree.leaves_with_path(shapes):
      spec = spec_of(sharding.path_text(path), x.shape, fsdp=2, tensor=2)
      self.assertLen(spec, x.ndim)
      found |= {axis for axis in spec if axis}
    self.assertEqual(found, spread)

  @parameterized.product(
    tied=(True, False), rule=('popo', 'popo_light', 'fixed')
  )
  def test_decoder(self, tied, rule):
    config = DecoderConfig(8, 2, 8, 2, 2, 8, tie_embeddings=tied)
    one = np.ones((1, 4), np.int32)
    weighting = getattr(pareto, rule)().init(2)
    self.assert_covered(
      lambda: Decoder(config).init(jax.random.key(0), one, one, one),
      weighting,
      {'fsdp', 'tensor'},
    )

  def test_id_tower(self):
    config = IdTowerConfig(5, (3, 4), (3, 4), 4, 2, (6, 5))
    inputs = (np.zeros((1, 2), np.int32), np.zeros((1, 3), np.int32),
              np.zeros(1, np.int32), np.zeros((5, 2), np.int32))  # fmt: skip
    self.assert_covered(
      lambda: IdTower(config).init(jax.random.key(0), *inputs)['params'],
      (),
      set(),
    )


class MeshTest(parameterized.TestCase):
  @parameterized.parameters('data', 'fsdp', 'tensor')
  def test_refuses(self, axis):
    with self.assertRaisesRegex(
      UserError, f'^{axis} is 0; it must be at least 1'
    ):
      MeshConfig(**{axis: 0})
    with self.assertRaisesRegex(UserError, '= 4096, but there are'):
      MeshConfig(**{axis: 4096}).make()

  def test_axes(self):
    mesh = MeshConfig().make()
    self.assertEqual(mesh.axis_names, sharding.AXES)

  def test_check_batch(self):
    sharding.check_batch(12, mesh_of(2, 3, 5), 'sft.batch')
    with self.assertRaisesRegex(
      UserError, 'rl.prompts is 9, .* mesh.data . mesh.fsdp = 6'
    ):
      sharding.check_batch(9, mesh_of(2, 3, 5), 'rl.prompts')


class PlaceTest(absltest.TestCase):
  def test_values_stay(self):
    mesh = MeshConfig().make()
    params = {'embedding': jnp.arange(6.0).reshape(2, 3)}
    placed = sharding.place(params, sharding.state_sharding(params, mesh))
    np.testing.assert_array_equal(placed['embedding'], params['embedding'])
    batch = sharding.place_batch({'x': np.arange(4)}, mesh)
    np.testing.assert_array_equal(batch['x'], np.arange(4))

  def test_jit_step_donates_and_keeps_the_layout(self):
    @jax.tree_util.register_dataclass
    @dataclasses.dataclass
    class State:
      embedding: jax.Array

    mesh = MeshConfig().make()
    state = sharding.jit_init(lambda: State(jnp.ones((2, 3))), mesh)
    step = sharding.jit_step(
      lambda s, x: (State(s.embedding + x), {'sum': s.embedding.sum()}),
      state,
      mesh,
    )
    new, metrics = step(state, 2.0)
    self.assertTrue(state.embedding.is_deleted())
    self.assertEqual(float(metrics['sum']), 6)
    np.testing.assert_array_equal(new.embedding, 3.0)
    self.assertEqual(new.embedding.sharding.spec, P('tensor', 'fsdp'))


if __name__ == '__main__':
  absltest.main()
