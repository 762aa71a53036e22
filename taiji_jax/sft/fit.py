"""Supervised training of the decoder on packed examples, resumable."""

from collections.abc import Sequence
import hashlib
import os
import pathlib
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from taiji_jax import loop, metrics, sharding, train_state
from taiji_jax.checkpoint import Checkpointer
from taiji_jax.config import deviations
from taiji_jax.data import lengths
from taiji_jax.data.batches import Example, Grain, packed_batches
from taiji_jax.errors import UserError
from taiji_jax.policy import Policy
from taiji_jax.sft.best import Best, Judged
from taiji_jax.sft.config import FitConfig
from taiji_jax.sft.step import sft_step


def fit(
  policy: Policy,
  examples: Sequence[Example],
  config: FitConfig,
  *,
  start: Any,
  scratch: str | os.PathLike[str],
  writer: metrics.Writer,
  seed: int = 0,
  stage: str = 'sft',
  saving: loop.Saving = loop.SAVING,
  judged: Judged | None = None,
) -> tuple[Any, float]:
  """Returns what was trained, on the mesh, and the seconds it took.

  Args:
    policy: the decoder's functions.
    examples: what to train on.
    config: sizes and optimiser.
    start: what is trained, as it is before; on the policy's mesh.
    scratch: of this training alone: where checkpoints go; an interrupted one
      goes on from there, a finished one is not done again.
    writer: where metrics go.
    seed: of the order of the examples.
    stage: its name in logs and metrics.
    saving: when checkpoints are saved.
    judged: where given, the best of its rounds is returned.

  Raises:
    UserError: the batch does not divide over the mesh, no examples or one that
      is too long, more rounds than updates, a folder of another training, a
      loss or a judge's value that became NaN or infinite.
  """
  mesh, rounds = policy.mesh, 1
  _check(policy, examples)
  sharding.check_batch(config.batch, mesh, f'{stage}.batch')
  batches = packed_batches(
    examples,
    batch=config.batch,
    length=config.tokens,
    seed=seed,
    pad_id=policy.tokenizer.pad_id,
  )
  tx = config.opt.make()
  state = sharding.jit_init(
    lambda params: train_state.create(jax.tree.map(jnp.copy, params), tx, seed),
    mesh,
    start,
  )
  update = sharding.jit_step(
    sft_step(policy.packed_logp, tx, config.prompt_weight), state, mesh
  )
  identity = {'stage': stage, 'config': deviations(config), 'seed': seed}
  identity |= _identity(examples, (start, policy.frozen))
  best = None
  if judged is not None:
    rounds = judged.rounds
    if rounds > config.opt.steps:
      raise UserError(
        f'rounds is {rounds}, above the {config.opt.steps} updates that there'
        ' are.'
      )
    best = Best(pathlib.Path(scratch), judged.patience, start)
    scratch = pathlib.Path(scratch) / 'steps'
  checkpointer = Checkpointer(scratch, identity=identity)
  seconds = 0.0
  for number in range(1, rounds + 1):
    steps = config.opt.steps * number // rounds
    state, seconds = loop.run(
      lambda state, batch: update(
        state, sharding.place_batch(batch, mesh), policy.frozen
      ),
      state,
      Grain(batches),
      checkpointer,
      writer,
      loop.LoopConfig(stage, steps, saving, write_every=5),
    )
    if best and best.take(number, state.params, judged.judge, stage):
      break
  checkpointer.close()
  if best is None:
    return state.params, seconds
  like = sharding.state_sharding(start, mesh)
  return sharding.place(best.load(), like), seconds


def _identity(examples: Sequence[Example], variables: Any) -> dict[str, Any]:
  """Returns of what a training is, for the note beside its checkpoints."""
  found = hashlib.sha256()
  for example in examples:
    for part in (example.prompt, example.completion):
      found.update(np.asarray(part, np.int32).tobytes() + b';')
  return {
    'examples': len(examples),
    'hash of the examples': found.hexdigest()[:16],
    'start': train_state.digest(variables),
  }


def _check(policy: Policy, examples: Sequence[Example]) -> None:
  """Raises UserError where something is no example; warns of long ones."""
  for i, example in enumerate(examples):
    if not isinstance(example, Example):
      raise UserError(
        f'example {i} is a {type(example).__name__}; make examples of pairs by'
        ' data.texts.examples(pairs, tokenizer).'
      )
  longer = sum(len(e.completion) > policy.completion for e in examples)
  if longer:
    metrics.LOG.warning(
      '%d of %d completions are longer than what the policy writes (%d tokens,'
      ' PolicyConfig.completion)',
      longer,
      len(examples),
      policy.completion,
    )


def log_sizes(
  stage: str, examples: Sequence[Example], too_long: Sequence[int], longest: int
) -> None:
  """Logs how many examples there are and how long, and what is left out.

  Args:
    stage: whose they are.
    examples: those that are trained on.
    too_long: the completion tokens of each that is left out.
    longest: the limit, the recipe's `length.completion`.

  Raises:
    UserError: all of them are too long.
  """
  count = len(examples) + len(too_long)
  said = lengths.left_out(stage, too_long, count, 'length.completion', longest)
  if too_long and not examples:
    raise UserError(f'{said} Nothing is left to train on; raise it.')
  if said:
    metrics.LOG.warning('%s', said)
  metrics.LOG.info(
    '%s: %d examples, %.1f prompt and %.1f completion tokens each',
    stage,
    len(examples),
    sum(len(e.prompt) for e in examples) / max(len(examples), 1),
    sum(len(e.completion) for e in examples) / max(len(examples), 1),
  )
