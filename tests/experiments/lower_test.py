"""Every recipe, shrunk, is lowered for TPU; each in a fresh process.

Recipes that come to the same programs once they are shrunk share a process.
With --long every recipe that fits four chips is compiled as it is.
"""

import collections
import dataclasses
import functools
import importlib.util
import os
import pathlib
import runpy
import subprocess

from absl.testing import absltest, parameterized

from taiji_jax.pipeline import recipe as recipe_lib
from tests import forks

ROOT = pathlib.Path(__file__).resolve().parents[2]
# Recipes of another kind.
OTHERS = ('a2po', 'generator')
RECIPES = sorted(
  str(path.relative_to(ROOT))
  for path in ROOT.glob('experiments/configs/*/*.py')
  if 'def get_config' in path.read_text('utf-8')
  and path.parent.name not in OTHERS
)
LIBTPU = importlib.util.find_spec('libtpu') is not None
LONG = os.environ.get('TAIJI_LONG') == '1'
# Parameters, gradients, two moments and the reference in float32, over four
# chips of 16 GiB, with room for what is computed.
FITS = 4 * 10 * 2**30 // 20
# Nothing that an earlier program left may help the next one.
CODE = """
import dataclasses, sys
import jax
from experiments.compiling import programs
from taiji_jax import sharding
from taiji_jax.modules.kernels import splash
from tests.experiments import lower_test

recipe = lower_test.shrunk(sys.argv[1])
model = dataclasses.replace(recipe.model, attention='kernel')
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


def read(path: str) -> recipe_lib.Recipe:
  return recipe_lib.from_config(runpy.run_path(path)['get_config']())


def shrunk(path: str) -> recipe_lib.Recipe:
  """Returns a recipe with two layers and batches for four devices."""
  recipe = read(path)
  return dataclasses.replace(
    recipe,
    model=dataclasses.replace(recipe.model, num_layers=2, unroll=1),
    sft=dataclasses.replace(recipe.sft, batch=4),
    rl=dataclasses.replace(recipe.rl, prompts=4),
    evaluation=dataclasses.replace(recipe.evaluation, batch=4),
  )


def programs_of(recipe: recipe_lib.Recipe) -> str:
  """Returns what a recipe's programs follow from."""
  found = recipe.sft, recipe.rl
  steps = (dataclasses.replace(x.opt, steps=1, warmup=0) for x in found)
  sft, rl = (
    dataclasses.replace(x, opt=opt) for x, opt in zip(found, steps, strict=True)
  )
  sft = dataclasses.replace(sft, examples=1)
  own = recipe.model, recipe.length, sft, rl, recipe.evaluation
  return repr((*own, bool(recipe.rollout_mesh)))


@functools.cache
def groups() -> dict[str, list[str]]:
  """Returns the recipes by their programs."""
  found = collections.defaultdict(list)
  for path in RECIPES:
    found[programs_of(shrunk(path))].append(path)
  return found


@functools.cache
def lowered(path: str) -> subprocess.CompletedProcess[str]:
  return subprocess.run(
    (*forks.python(), '-c', CODE, path),
    cwd=ROOT,
    env=os.environ,
    capture_output=True,
    text=True,
  )


class LowerTest(parameterized.TestCase):
  @parameterized.parameters(*RECIPES)
  def test_recipe(self, path: str):
    first, *_ = groups()[programs_of(shrunk(path))]
    made = lowered(first)
    self.assertEqual(made.returncode, 0, made.stderr[-2000:])

  def test_there_are_recipes(self):
    self.assertGreater(len(RECIPES), 8)
    self.assertLess(len(groups()), len(RECIPES))

  @parameterized.parameters(*RECIPES)
  @absltest.skipUnless(LONG and LIBTPU, 'long; with libtpu alone')
  def test_whole(self, path: str):
    if read(path).model.parameters > FITS:
      self.skipTest('it does not fit on four chips')
    made = subprocess.run(
      (
        *forks.python(),
        *('-m', 'experiments.compile', f'--config={path}'),
        '--config.mesh.fsdp=4',
        '--topology=v5e:2x2',
      ),
      cwd=ROOT,
      env=os.environ,
      capture_output=True,
      text=True,
    )
    self.assertEqual(made.returncode, 0, made.stderr[-2000:])


if __name__ == '__main__':
  absltest.main()
