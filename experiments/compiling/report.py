"""What compiling a program told, and the table of it."""

import dataclasses
import re
import time
from typing import Any

import jax

from experiments.compiling import hlo
from experiments.compiling.chips import GIB, Chip
from experiments.compiling.programs import Program

# What to change where a program does not fit, for each program.
REMEDIES = {
  'sft': 'sft.batch or sft.tokens smaller, model.loss_chunk smaller (not 0),'
  " model.remat='full'",
  'rl': 'rl.prompts or rl.group smaller, rl.share_prompt=True,'
  " model.loss_chunk smaller (not 0), model.remat='full'",
  'prefill': 'rl.prompts or length.prompt smaller, rollout_mesh.tensor larger',
  'decode': 'rl.prompts, rl.group or length.completion smaller,'
  ' rollout_mesh.tensor larger',
}
# Two ways in which the compiler says how much there would be.
_USED = re.compile(
  r'[Uu]sed ([\d.]+)([KMGT]) of [\d.]+[KMGT] hbm'
  r'|temporaries \(([\d.]+)([KMGT])\) exceeds available HBM'
)
_UNITS = {'K': 2**10, 'M': 2**20, 'G': 2**30, 'T': 2**40}


@dataclasses.dataclass(frozen=True)
class Report:
  """One program on one topology; bytes are a device's.

  Attributes:
    program: its name.
    argument, temporary: bytes of arguments, and of what is neither argument nor
      result, the code itself among them.
    peak: the most bytes at a time while it runs.
    resident: bytes of what else is held while it runs.
    capacity: bytes there are.
    collectives: kind -> count, bytes, wire, network; see `hlo.Collective`.
    model_flops, run_flops: see `flops.Work`; over all devices.
    compute, memory, links: estimated seconds of one step if nothing else took
      any: operations at the peak, traffic at the full bandwidths.
    compile_seconds: how long compiling took here.
    exact: whether bytes are what the compiler laid out; False where it refused
      and told only how much there would be.
  """

  program: str
  argument: float
  temporary: float
  peak: float
  resident: float
  capacity: float
  collectives: dict[str, dict[str, float]]
  model_flops: float
  run_flops: float
  compute: float
  memory: float
  links: float
  compile_seconds: float
  exact: bool = True

  @property
  def needed(self) -> float:
    return self.peak + self.resident

  @property
  def fits(self) -> bool:
    return self.needed <= self.capacity

  @property
  def bound(self) -> str:
    """Returns which of the three estimates is the largest."""
    times = {'compute': self.compute, 'memory': self.memory}
    times['links'] = self.links
    return max(times, key=lambda name: times[name])

  @property
  def seconds(self) -> float:
    """Returns the estimate of a step: all three at once, each at its best."""
    return max(self.compute, self.memory, self.links)

  def complaint(self) -> str:
    """Returns by how much it does not fit, and what to change."""
    over = (self.needed - self.capacity) / GIB
    state = (
      'mesh.fsdp or mesh.tensor larger, '
      if self.argument + self.resident > self.capacity / 2
      else ''
    )
    return (
      f'{self.program} needs {self.needed / GIB:.2f} GiB of'
      f' {self.capacity / GIB:.2f} a chip, {over:.2f} too much: make {state}'
      f'{REMEDIES[self.program]}'
    )


def compile_program(
  name: str, program: Program, chip: Chip, devices: int, slices: int
) -> Report:
  """Returns what compiling a program told.

  Args:
    name: one of `programs.NAMES`.
    program: ready to be compiled.
    chip: what a device can do.
    devices: how many there are.
    slices: over how many slices.
  """
  start = time.monotonic()
  text, sizes = '', (program.argument, 0.0, 0.0)
  try:
    compiled = program.jitted.lower(*program.arguments).compile()
  except jax.errors.JaxRuntimeError as error:
    used = _used(str(error))
    if used is None:
      raise
    sizes = (program.argument, max(used - program.argument, 0.0), used)
  else:
    text, sizes = compiled.as_text(), _sizes(compiled.memory_analysis())
  seconds = time.monotonic() - start
  found = hlo.collectives(
    text, program.turns, devices // slices if slices > 1 else 0
  )
  network = sum(c.network for c in found.values())
  wire = sum(c.wire for c in found.values()) - network
  return Report(
    program=name,
    argument=sizes[0],
    temporary=sizes[1],
    peak=sizes[2],
    resident=program.resident,
    capacity=chip.hbm,
    collectives={k: dataclasses.asdict(c) for k, c in found.items()},
    model_flops=program.work.model,
    run_flops=program.work.run,
    compute=program.work.run / (devices * chip.flops),
    memory=program.traffic / chip.hbm_bandwidth,
    links=wire / chip.ici_bandwidth + network / chip.dcn_bandwidth,
    compile_seconds=seconds,
    exact=bool(text),
  )


def _used(message: str) -> float | None:
  """Returns the bytes that the compiler says are too many; None for others."""
  found = _USED.search(message)
  if 'RESOURCE_EXHAUSTED' not in message or found is None:
    return None
  number, unit = (x for x in found.groups() if x)
  return float(number) * _UNITS[unit]


def _sizes(stats: Any) -> tuple[float, float, float]:
  """Returns bytes of arguments, of what is neither those nor results, peak."""
  code = stats.generated_code_size_in_bytes
  return (
    float(stats.argument_size_in_bytes),
    float(stats.temp_size_in_bytes + code),
    float(stats.peak_memory_in_bytes + code),
  )


def table(reports: list[Report]) -> str:
  """Returns the reports as text, sizes in GiB, an estimate called one."""
  head = ('program', 'arguments', 'temporary', 'peak', 'resident', 'capacity',
          'model PFLOP', 'estimate s', 'bound by', 'compile s')  # fmt: skip
  rows = [
    (
      r.program,
      *(f'{x / GIB:.2f}' for x in (
        r.argument, r.temporary, r.peak, r.resident, r.capacity
      )),
      f'{r.model_flops / 1e15:.3g}',
      f'{r.seconds:.3g}' if r.exact else '-',
      r.bound if r.fits else 'does not fit',
      f'{r.compile_seconds:.0f}',
    )
    for r in reports
  ]  # fmt: skip
  links = [
    (
      r.program,
      kind,
      f'{c["count"]:.0f}',
      f'{c["bytes"] / GIB:.3f}',
      f'{c["wire"] / GIB:.3f}',
      f'{c["network"] / GIB:.3f}',
    )
    for r in reports
    for kind, c in r.collectives.items()
  ]
  link_head = (
    'program',
    'collective',
    'count',
    'payload',
    'sent',
    'by network',
  )
  return (
    'Memory of one device in GiB; operations of all devices; the estimate is a'
    ' roofline,\nnot a measurement: everything at its peak, all at once.\n'
    f'{_columns([head, *rows])}\n\n'
    'Collectives of one step, GiB of one device.\n'
    f'{_columns([link_head, *links])}'
  )


def _columns(rows: list[tuple[str, ...]]) -> str:
  widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
  return '\n'.join(
    '  '.join(x.rjust(w) for x, w in zip(row, widths, strict=True))
    for row in rows
  )


MARKDOWN = (
  '| slice | program | arguments | temporary | peak | beside it | of | gather |'
  ' reduce | scatter | other | model PFLOP | estimate s | bound by | compile s'
  ' |\n|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|'
)


def row(where: str, found: Report) -> dict[str, Any]:
  """Returns what the scale table shows of a program: GiB a device, seconds.

  Args:
    where: name of the slice.
    found: one program on it.
  """
  payload = {kind: c['bytes'] / GIB for kind, c in found.collectives.items()}
  named = {
    'gather': 'all-gather',
    'reduce': 'all-reduce',
    'scatter': 'reduce-scatter',
  }
  sizes = ('argument', 'temporary', 'peak', 'resident', 'capacity')
  return {
    'slice': where,
    'program': found.program,
    **{name: round(getattr(found, name) / GIB, 3) for name in sizes},
    **{k: round(payload.pop(kind, 0.0), 2) for k, kind in named.items()},
    'other': round(sum(payload.values()), 2),
    'pflop': float(f'{found.model_flops / 1e15:.4g}'),
    'seconds': float(f'{found.seconds:.4g}'),
    'bound': found.bound if found.fits else 'does not fit',
    'compile_seconds': round(found.compile_seconds),
  }


def markdown(where: str, found: Report) -> str:
  """Returns a row of the table `MARKDOWN`: GiB a device, collectives' payload.

  Args:
    where: name of the slice.
    found: one program on it.
  """
  own = row(where, found)
  sizes = ('argument', 'temporary', 'peak', 'resident', 'capacity')
  cells = (
    where,
    found.program,
    *(f'{own[name]:.2f}' for name in sizes),
    *(f'{own[name]:.1f}' for name in ('gather', 'reduce', 'scatter', 'other')),
    f'{own["pflop"]:.3g}',
    f'{own["seconds"]:.3g}',
    own['bound'],
    f'{own["compile_seconds"]}',
  )
  return f'| {" | ".join(cells)} |'
