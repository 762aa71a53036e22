"""Collectives in a compiled program's text: how often, and how many bytes."""

import collections
import dataclasses
import math
import re

import numpy as np

KINDS = (
  'all-gather',
  'all-reduce',
  'reduce-scatter',
  'all-to-all',
  'collective-permute',
  'across-slices',
)
_BYTES = {
  'pred': 1, 's8': 1, 'u8': 1, 's16': 2, 'u16': 2, 'f16': 2, 'bf16': 2,
  's32': 4, 'u32': 4, 'f32': 4, 's64': 8, 'u64': 8, 'f64': 8, 'c64': 8,
}  # fmt: skip
_HEAD = re.compile(r'^(ENTRY )?%?([\w.\-]+) \(.*\{\s*$')
_LINE = re.compile(r'^\s*(?:ROOT )?%?([\w.\-]+) = (.*)$')
_OP = re.compile(r'(?:^|[\s)}])([a-z][a-z0-9\-]*)\(')
_CALLED = re.compile(
  r'(?:calls|to_apply|body|condition|called_computations|true_computation|'
  r'false_computation)=%?([\w.\-]+)'
)
_BRANCHES = re.compile(
  r'(?:branch_computations|called_computations)=\{([^}]*)\}'
)
_TURNS = re.compile(r'"known_trip_count":\{"n":"(\d+)"')
_CONDITION = re.compile(r'condition=%?([\w.\-]+)')
_CONSTANT = re.compile(r'constant\((\d+)\)')
_COMPARED = re.compile(r'^pred\[\] compare\(%?[\w.\-]+, %?([\w.\-]+)\).*LT')
_ARRAY = re.compile(r'\b([a-z]+[0-9]*)\[([0-9,]*)\]')
_LISTED = re.compile(r'replica_groups=\{\{([0-9,]*)\}')
_COUNTED = re.compile(
  r'replica_groups=\[(\d+),(\d+)\]<=\[([0-9,]+)\](?:T\(([0-9,]+)\))?'
)
_AXIS = re.compile(r"'([^']+)'=(\d+)")
_NAMED = re.compile(
  r'replica_groups=mesh\[([^\]]*)\]'
  r'(?:, device_ids=\(\[([0-9,]+)\](?:T\(([0-9,]+)\))?\))? ?\{([^}]*)\}'
)
_PAIR = re.compile(r'source_target_pairs=\{\{(\d+),(\d+)\}')
_CHANNEL = re.compile(r'channel_id=(\d+)')
# What goes to other slices is sent by the run time of several slices.
_ACROSS = re.compile(r'_xla_megascale_target="\{([0-9,]+)\}')


@dataclasses.dataclass(frozen=True)
class Collective:
  """All collectives of one kind in one run of a program.

  Attributes:
    count: how many.
    bytes: their payloads on one device: the larger of what goes in and what
      comes out, once each.
    wire: bytes one device sends: payload (n - 1) / n in groups of n, twice that
      for an all-reduce.
    network: those of `wire` in groups that lie in several slices, which the
      compiler shows as what is sent 'across-slices'.
  """

  count: float
  bytes: float
  wire: float
  network: float


def collectives(
  text: str, turns: int = 1, slice_devices: int = 0
) -> dict[str, Collective]:
  """Returns the collectives of a program by kind.

  What a loop's body holds counts as often as the loop turns.

  Args:
    text: `compiled.as_text()`.
    turns: of a loop whose number of turns isn't known.
    slice_devices: devices of a slice, 0 where there is one.
  """
  bodies, entry = _computations(text)
  found = []
  _visit(bodies, entry, entry, 1.0, turns, found)
  total = collections.defaultdict(lambda: np.zeros(4))
  # A collective that runs beside others is in several fusions, part by part,
  # with one channel: it counts once where it is.
  seen = set()
  for place, times, (kind, channel, payload, group) in found:
    if channel is not None and (place, channel) in seen:
      continue
    seen.add((place, channel))
    wire = payload * _share(kind, len(group))
    apart = kind == 'across-slices' or (
      slice_devices and len({i // slice_devices for i in group}) > 1
    )
    total[kind] += times * np.array([1, payload, wire, wire * bool(apart)])
  return {
    kind: Collective(*map(float, total[kind]))
    for kind in KINDS
    if kind in total
  }


def _share(kind: str, size: int) -> float:
  """Returns what part of a payload each device of a group sends."""
  if kind == 'collective-permute':
    return 1.0
  both_ways = kind in ('all-reduce', 'across-slices')
  return (size - 1) / size * (2 if both_ways else 1)


def _computations(text: str) -> tuple[dict[str, list], str]:
  """Returns the lines of each computation, and the name of the first."""
  bodies, entry, current = {}, '', None
  for line in text.splitlines():
    if head := _HEAD.match(line):
      current = bodies[head[2]] = []
      entry = head[2] if head[1] else entry
    elif current is not None and (found := _LINE.match(line)):
      current.append((found[1], found[2]))
  return bodies, entry


def _visit(
  bodies: dict, name: str, place: str, times: float, turns: int, found: list
) -> None:
  """Adds (place, how often, collective) of a computation and what it calls.

  A fusion is part of the computation that calls it, a loop's body is not.
  """
  for _, line in bodies.get(name, ()):
    own = _collective(line, name)
    if own is not None:
      found.append((place, times, own))
    operation = _operation(line)
    called = _CALLED.findall(line)
    for many in _BRANCHES.findall(line):
      called += [part.strip().lstrip('%') for part in many.split(',')]
    inner = times
    if operation == 'while':
      inner *= _turns(bodies, line) or turns
    for other in called:
      if other in bodies:
        inside = other if operation in ('while', 'conditional') else place
        _visit(bodies, other, inside, inner, turns, found)


def _turns(bodies: dict, line: str) -> int | None:
  """Returns how often a loop turns; None where it isn't known.

  `lax.scan` counts from 0 by 1 up to a constant in the loop's condition.
  """
  if known := _TURNS.search(line):
    return int(known[1])
  condition = _CONDITION.search(line)
  constants = {}
  for name, inner in bodies.get(condition[1], ()) if condition else ():
    if found := _CONSTANT.search(inner):
      constants[name] = int(found[1])
    compared = _COMPARED.search(_without_layout(inner))
    if compared and compared[1] in constants:
      return constants[compared[1]]
  return None


def _operation(line: str) -> str:
  """Returns the operation of an instruction's right side."""
  found = _OP.search(_without_layout(line))
  return found[1] if found else ''


def _without_layout(line: str) -> str:
  return re.sub(r'(?<=\])\{[^{}]*\}', '', line)


def _collective(
  line: str, inside: str
) -> tuple[str, str | None, float, list[int]] | None:
  """Returns (kind, channel, payload, the first group) of an instruction."""
  operation = _operation(line)
  if operation == 'send' and (slices := _ACROSS.search(line)):
    sent = _ARRAY.search(_without_layout(line))
    channel = _CHANNEL.search(line)
    group = [int(i) for i in slices[1].split(',')]
    return 'across-slices', channel and channel[1], _size(*sent.groups()), group
  kind = operation.removesuffix('-start')
  if kind not in KINDS:
    return None
  group = _group(line)
  before, _, after = _without_layout(line).partition(f'{operation}(')
  results = [_size(*array) for array in _ARRAY.findall(before)]
  operands = [_size(*a) for a in _ARRAY.findall(after.partition(')')[0])]
  if operation.endswith('-start') and kind != 'all-reduce':
    # It gives operand, result and flags: the largest is the payload.
    results = [max(results)]
  payload = max(sum(results), sum(operands))
  if kind == 'reduce-scatter' and not operands:
    payload *= len(group)
  if kind == 'all-reduce' and 'all-reduce-scatter' in inside:
    kind = 'reduce-scatter'
  channel = _CHANNEL.search(line)
  return kind, channel and channel[1], payload, group


def _size(dtype: str, shape: str) -> float:
  count = 1.0
  for number in filter(None, shape.split(',')):
    count *= int(number)
  return count * _BYTES.get(dtype, 0)


def _group(line: str) -> list[int]:
  """Returns the devices of the first group; one where it isn't said."""
  if found := _LISTED.search(line):
    return _numbers(found[1]) or [0]
  if found := _COUNTED.search(line):
    groups, size = int(found[1]), int(found[2])
    return _devices(found[3], found[4]).reshape(groups, size)[0].tolist()
  if found := _NAMED.search(line):
    axes = [(name, int(n)) for name, n in _AXIS.findall(found[1])]
    sizes = [n for _, n in axes]
    dims = found[2] or ','.join(map(str, sizes))
    taken = re.findall(r"'([^']+)'", found[4])
    index = tuple(slice(None) if name in taken else 0 for name, _ in axes)
    ids = _devices(dims, found[3]).reshape(sizes)
    return np.ravel(ids[index]).tolist()
  if found := _PAIR.search(line):
    return [int(found[1]), int(found[2])]
  return [0]


def _devices(dims: str, order: str | None) -> np.ndarray:
  """Returns 0, 1, 2, ... in the shape `dims`, its axes in another order."""
  shape = _numbers(dims)
  ids = np.arange(math.prod(shape)).reshape(shape)
  return ids.transpose(_numbers(order)) if order else ids


def _numbers(text: str) -> list[int]:
  return [int(x) for x in text.split(',') if x]
