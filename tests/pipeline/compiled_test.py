import os
import pathlib
import subprocess

from absl.testing import absltest
import jax

from taiji_jax.errors import UserError
from taiji_jax.pipeline import compiled
from tests import forks

# A program that takes long enough to be kept.
CODE = """
import sys
import jax
import jax.numpy as jnp
from taiji_jax.pipeline import compiled

folder = compiled.keep(sys.argv[1])
jax.config.update('jax_persistent_cache_min_compile_time_secs', 0.0)
jax.jit(lambda x: jnp.sin(x) @ x.T)(jnp.ones((4, 4))).block_until_ready()
print(folder)
"""


def run(where, **env):
  clean = {k: v for k, v in os.environ.items() if not k.startswith('JAX_COMP')}
  return subprocess.run(
    (*forks.python(), '-c', CODE, where),
    env=clean | env,
    text=True,
    capture_output=True,
    check=True,
  ).stdout.strip()


class CompiledTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.root = pathlib.Path(self.create_tempdir())

  def test_programs_are_kept_for_the_next_process(self):
    home = {'XDG_CACHE_HOME': str(self.root)}
    folder = pathlib.Path(run('auto', **home))
    self.assertEqual(folder.parent, self.root / 'taiji_jax' / 'xla')
    kept = {p.name for p in folder.glob('*-cache')}
    self.assertNotEmpty(kept)
    self.assertEqual(run('auto', **home), str(folder))
    self.assertEqual({p.name for p in folder.glob('*-cache')}, kept)

  def test_another_folder(self):
    own = self.root / 'own'
    self.assertEqual(run(str(own)), str(own))
    self.assertNotEmpty(list(own.iterdir()))

  def set(self, folder):
    before = jax.config.jax_compilation_cache_dir
    self.addCleanup(jax.config.update, 'jax_compilation_cache_dir', before)
    jax.config.update('jax_compilation_cache_dir', folder)

  def test_nowhere(self):
    self.set(None)
    self.assertIsNone(compiled.keep('off'))
    self.assertIsNone(jax.config.jax_compilation_cache_dir)

  def test_what_the_user_has_set_stays(self):
    self.set(str(self.root / 'theirs'))
    self.assertIsNone(compiled.keep(str(self.root / 'ours')))
    self.assertEndsWith(jax.config.jax_compilation_cache_dir, 'theirs')

  def test_a_folder_that_cannot_be_made(self):
    (self.root / 'file').write_text('')
    self.set(None)
    with self.assertLogs('taiji_jax', 'WARNING') as logs:
      self.assertIsNone(compiled.keep(str(self.root / 'file' / 'x')))
      self.assertIsNone(compiled.keep('~no-such-user/x'))
    for line in logs.output:
      self.assertIn('compilation_cache names another folder', line)

  def test_an_empty_name(self):
    with self.assertRaisesRegex(UserError, "give a folder, 'auto' or 'off'"):
      compiled.keep('')


if __name__ == '__main__':
  absltest.main()
