import dataclasses
import importlib.util
import pathlib
import types
from unittest import mock

from absl.testing import absltest, parameterized
import jax
import jax.numpy as jnp

from experiments.compiling import chips, programs, report, results
from experiments.configs.popo import (
  ml100k_cpu,
  paper_v5e_16x16,
  paper_v5e_16x16_two_slices,
  paper_v5p_4x4x4,
  paper_v6e_16x16,
)
from taiji_jax import sharding
from taiji_jax.errors import UserError
from taiji_jax.pipeline import recipe as recipe_lib

LIBTPU = importlib.util.find_spec('libtpu') is not None
PAPER = {
  module.__name__.split('.')[-1]: module
  for module in (
    paper_v5e_16x16,
    paper_v5e_16x16_two_slices,
    paper_v5p_4x4x4,
    paper_v6e_16x16,
  )
}


def tiny(**sections):
  config = ml100k_cpu.get_config()
  with config.unlocked():
    config.update(
      {
        'name': 'tiny',
        'length': {'prompt': 32, 'completion': 16},
        'tokenizer': {'vocab_size': 512},
        'model': {
          'num_layers': 1,
          'width': 128,
          'num_heads': 2,
          'num_kv_heads': 2,
          'mlp_width': 128,
          'dtype': 'bfloat16',
          'remat': 'full',
          'loss_chunk': 8,
        },
        'sft': {'batch': 2, 'tokens': 64},
        'rl': {'prompts': 4, 'group': 2, 'form': 'vjps', 'share_prompt': True},
        'mesh': {'fsdp': 2, 'tensor': 2},
        'rollout_mesh': {'data': 2, 'tensor': 2},
      }
    )
    config.update(sections)
  return recipe_lib.from_config(config)


def abstract(config):
  """A mesh of devices that don't exist."""
  return jax.sharding.AbstractMesh(
    (config.data, config.fsdp, config.tensor),
    sharding.AXES,
    axis_types=(jax.sharding.AxisType.Auto,) * 3,
  )


def made(recipe):
  """The programs with the kernels in them, as for a TPU."""
  model = dataclasses.replace(recipe.model, attention='kernel')
  recipe = dataclasses.replace(recipe, model=model)
  rollout = recipe.rollout_mesh and abstract(recipe.rollout_mesh)
  return programs.Programs(recipe, abstract(recipe.mesh), rollout)


class LowerTest(parameterized.TestCase):
  """What needs no compiler for TPUs."""

  @parameterized.parameters(*programs.NAMES)
  def test_tiny(self, name):
    program = made(tiny()).make(name)
    text = (
      program.jitted.trace(*program.arguments)
      .lower(lowering_platforms=('tpu',))
      .as_text()
    )
    self.assertIn('tpu_custom_call', text)

  @parameterized.parameters(*PAPER)
  def test_the_papers_size(self, name):
    """All is split: state, reference, weights and cache of the rollouts."""
    recipe = recipe_lib.from_config(PAPER[name].get_config())
    self.assertEqual(recipe.name, f'popo/{name}')
    self.assertAlmostEqual(recipe.model.parameters / 1e9, 7.616, places=3)
    found = made(recipe)
    parts = recipe.mesh.fsdp
    # Parameters, two moments and the reference, float32; norms are whole.
    expected = 4 * 4 * recipe.model.parameters / parts
    decode = found.decode()
    self.assertAlmostEqual(decode.resident / expected, 1, delta=0.02)
    weights = 2 * recipe.model.parameters / recipe.rollout_mesh.tensor
    self.assertGreater(decode.argument, weights)
    self.assertLess(decode.argument, 1.5 * weights)

  def test_adapters(self):
    """Only what is trained has moments."""
    whole = made(tiny()).sft()
    recipe = tiny()
    model = dataclasses.replace(recipe.model, lora_rank=2)
    found = made(dataclasses.replace(recipe, model=model)).sft()
    self.assertLess(found.argument, whole.argument / 2)
    found.jitted.trace(*found.arguments)

  def test_refuses(self):
    with self.assertRaisesRegex(UserError, 'rl.prompts is 3, .* = 2'):
      made(tiny(rl={'prompts': 3})).rl()
    with self.assertRaisesRegex(UserError, 'does not divide by mesh.fsdp=3'):
      made(tiny(mesh={'fsdp': 3})).sft()


class ReportTest(parameterized.TestCase):
  @parameterized.parameters(
    'XLA:TPU compile permanent error. Ran out of memory in memory space hbm.'
    ' Used 20.00G of 15.75G hbm. Exceeded hbm capacity by 4.25G.',
    'Ran out of memory on HBM, the total memory required for HLO temporaries'
    ' (20.00G) exceeds available HBM (15.75G).',
  )
  def test_refused_by_the_compiler(self, message):
    def lower(*_):
      raise jax.errors.JaxRuntimeError(f'RESOURCE_EXHAUSTED: {message}')

    x = jax.ShapeDtypeStruct(
      (4,),
      jnp.float32,
      sharding=jax.sharding.SingleDeviceSharding(jax.devices()[0]),
    )
    program = programs.Program(
      types.SimpleNamespace(lower=lower), (x,), mock.Mock(model=1.0, run=1.0)
    )
    chip = chips.CHIPS['v5e']
    found = report.compile_program('rl', program, chip, 4, 1)
    self.assertFalse(found.fits)
    self.assertFalse(found.exact)
    self.assertRegex(
      found.complaint(),
      'rl needs 20.00 GiB of 15.75 a chip, 4.25 too much: .* rl.group smaller',
    )
    self.assertIn('does not fit', report.table([found]))

  def test_what_is_resident_counts(self):
    gib = float(chips.GIB)
    found = report.Report(
      'decode', gib, gib, 3 * gib, 6 * gib, 8 * gib, {}, 1, 1, 1, 3, 2, 1
    )
    self.assertFalse(found.fits)
    self.assertRegex(found.complaint(), '1.00 too much: make mesh.fsdp or')
    self.assertEqual((found.bound, found.seconds), ('memory', 3))
    self.assertTrue(dataclasses.replace(found, resident=5 * gib).fits)
    header, _, row = [*report.MARKDOWN.split('\n'), report.markdown('x', found)]
    self.assertEqual(row.count('|'), header.count('|'))


@absltest.skipUnless(LIBTPU, 'libtpu is not installed')
class CompileTest(absltest.TestCase):
  def test_tiny_recipe(self):
    folder = pathlib.Path(self.create_tempdir().full_path)
    output = folder / 'scale.json'
    arguments = (tiny(), 'v5e:2x2', 1, list(programs.NAMES), output)
    found = {r.program: r for r in results.compile_all(*arguments)}
    for name, one in found.items():
      with self.subTest(name):
        self.assertTrue(one.fits)
        self.assertTrue(one.exact)
        self.assertGreaterEqual(one.peak, one.argument)
        self.assertGreater(one.compute, 0)
        self.assertGreater(one.links, 0)
    # Every layer's weights are gathered, forwards and backwards.
    self.assertIn('all-gather', found['sft'].collectives)
    refuse = mock.Mock(side_effect=AssertionError)
    with mock.patch.object(report, 'compile_program', refuse):
      again = results.compile_all(*arguments)
    self.assertEqual(again, list(found.values()))
    self.assertIn('estimate', report.table(again))

  def test_wrong_mesh(self):
    with self.assertRaisesRegex(UserError, 'has 4 devices; set --config.mesh'):
      results.compile_all(tiny(mesh={'fsdp': 8}), 'v5e:2x2', 1, ['sft'], None)


if __name__ == '__main__':
  absltest.main()
