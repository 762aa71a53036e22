"""Every recipe, shrunk, is lowered for TPU; each in a fresh process.

Three of them always, the others with --long: a recipe takes 10 to 20 seconds.
"""

import os
import pathlib
import subprocess

from absl.testing import absltest, parameterized

from tests import forks

ROOT = pathlib.Path(__file__).resolve().parents[2]
RECIPES = sorted(
  str(path.relative_to(ROOT))
  for path in ROOT.glob('experiments/configs/*/*.py')
  if 'def get_config' in path.read_text('utf-8')
)
ALWAYS = (
  'popo/ml100k_cpu',
  'popo/paper_v5e_16x16',
  'taiji/amazon_scientific_cpu',
)
# Nothing that an earlier program left may help the next one.
CODE = """
import dataclasses, runpy, sys
import jax
from experiments.compiling import programs
from taiji_jax import sharding
from taiji_jax.modules.kernels import splash
from taiji_jax.pipeline import recipe as recipe_lib

recipe = recipe_lib.from_config(runpy.run_path(sys.argv[1])['get_config']())
model = dataclasses.replace(recipe.model, num_layers=2, attention='kernel',
                            unroll=1)
recipe = dataclasses.replace(recipe, model=model)

def abstract(*shape):
  kinds = (jax.sharding.AxisType.Auto,) * 3
  return jax.sharding.AbstractMesh(shape, sharding.AXES, axis_types=kinds)

rollout = abstract(2, 1, 2) if recipe.rollout_mesh else None
for name in programs.NAMES:
  splash._kernel.cache_clear()
  program = programs.Programs(recipe, abstract(1, 4, 1), rollout).make(name)
  traced = program.jitted.trace(*program.arguments)
  text = traced.lower(lowering_platforms=('tpu',)).as_text()
  assert 'tpu_custom_call' in text, name
"""


class LowerTest(parameterized.TestCase):
  @parameterized.parameters(*RECIPES)
  def test_recipe(self, path: str):
    own = path.removeprefix('experiments/configs/').removesuffix('.py')
    if own not in ALWAYS and os.environ.get('TAIJI_LONG') != '1':
      self.skipTest('with --long')
    made = subprocess.run(
      (*forks.python(), '-c', CODE, path),
      cwd=ROOT,
      env=os.environ,
      capture_output=True,
      text=True,
    )
    self.assertEqual(made.returncode, 0, made.stderr[-2000:])

  def test_there_are_recipes(self):
    self.assertGreater(len(RECIPES), 8)


if __name__ == '__main__':
  absltest.main()
