"""A checkpoint, or a model of a run, with its tokenizer, ready to answer."""

from collections.abc import Sequence
import dataclasses
import time
from typing import Any

from jax.sharding import Mesh

from taiji_jax import metrics, train_state
from taiji_jax.data import tokenizer as tokenizer_lib
from taiji_jax.decode.sampler import Generation, Sampler
from taiji_jax.decode.sampling import SampleConfig
from taiji_jax.errors import UserError
from taiji_jax.modules.decoder import Decoder
from taiji_jax.modules.weights import origin, pretrained
from taiji_jax.pipeline.run import Run


@dataclasses.dataclass(frozen=True)
class Opened:
  """What answers.

  Attributes:
    sampler: prompts to completions.
    tokenizer: text to ids and back.
    start: ids that every prompt without a chat template begins with.
    context: the most tokens that the model takes, 0 where unknown.
  """

  sampler: Sampler
  tokenizer: Any
  start: tuple[int, ...] = ()
  context: int = 0

  def encode(
    self, text: str, chat: bool = False, max_tokens: int = 0
  ) -> list[int]:
    """Returns a prompt's ids, in the model's chat template where asked.

    Args:
      text: the prompt.
      chat: whether it is put into that template.
      max_tokens: of the completion that is to follow.

    Raises:
      UserError: both together are longer than the model takes.
    """
    if chat:
      ids = self.tokenizer.chat([{'role': 'user', 'content': text}])
    else:
      ids = [*self.start, *self.tokenizer.encode(text)]
    if self.context and len(ids) + max_tokens > self.context:
      raise UserError(
        f'the prompt {text[:40]!r}... has {len(ids):,} tokens and its'
        f' completion up to {max_tokens:,}, but the model takes'
        f' {self.context:,} in all;'
        ' shorten the prompt, or ask for fewer tokens.'
      )
    return ids

  def complete(
    self,
    prompts: Sequence[Sequence[int]],
    seeds: Sequence[int],
    stop: Sequence[str] = (),
  ) -> list[Generation]:
    """Returns the completions; how far it is is logged at once and then on.

    Args:
      prompts, seeds, stop: as for `decode.Sampler`.
    """
    last = time.monotonic()

    def told(tokens: int, done: int) -> None:
      nonlocal last
      if (now := time.monotonic()) - last >= metrics.PLAIN_SECONDS:
        last = now
        metrics.LOG.info(
          '%d tokens of each, %d of %d completions', tokens, done, len(seeds)
        )

    metrics.LOG.info(
      'compiling, then reading prompts of up to %s tokens',
      f'{max(map(len, prompts)):,}',
    )
    return self.sampler(prompts, seeds, stop=stop, told=told)


def open_checkpoint(
  source: str,
  mesh: Mesh,
  dtype: str = 'float32',
  chat: bool = False,
  **sampling: Any,
) -> Opened:
  """Returns a checkpoint that answers.

  Args:
    source: see `modules.weights.pretrained.find`.
    mesh: where it lies.
    dtype: of its parameters and products.
    chat: whether it must have a chat template.
    sampling: fields of `decode.SampleConfig` but the tokenizer's.

  Raises:
    UserError: there is no such checkpoint, it has no chat template, or an
      option is out of range.
  """
  path = pretrained.find(source)
  pretrained.config(path)  # It must be a decoder, which its tokenizer hides.
  tokenizer = tokenizer_lib.load(path)
  config = _sampling(tokenizer, source, chat, sampling)
  attention = 'kernel' if mesh.devices.flat[0].platform == 'tpu' else 'plain'
  model, params = pretrained.load(
    source, mesh, dtype=dtype, param_dtype=dtype, attention=attention
  )
  sampler = Sampler(
    Decoder(model), params, config, mesh=mesh, decode=tokenizer.decode
  )
  context = origin.read(path).context
  return Opened(sampler, tokenizer, context=context)


def open_run(
  run: Run, arm: str, seed: int, chat: bool = False, **sampling: Any
) -> Opened:
  """Returns a model of a run that answers.

  Args:
    run: a run that was made.
    arm, seed: which of its models.
    chat: whether it must have a chat template.
    sampling: fields of `decode.SampleConfig` but the tokenizer's.

  Raises:
    UserError: the arm has no model, it has no chat template, or an option is
      out of range.
  """
  policy = run.policy
  config = _sampling(policy.tokenizer, f'the arm {arm}', chat, sampling)
  params = train_state.joined(run.load(run.model(arm, seed)), policy.frozen)
  sampler = Sampler(
    policy.decoder,
    params,
    config,
    mesh=policy.mesh,
    decode=policy.tokenizer.decode,
  )
  return Opened(sampler, policy.tokenizer, (policy.tokenizer.bos_id,))


def _sampling(
  tokenizer: Any, source: str, chat: bool, options: dict[str, Any]
) -> SampleConfig:
  if chat and not hasattr(tokenizer, 'chat'):
    raise UserError(f'{source} has no chat template; drop --chat.')
  return SampleConfig(
    eos_id=tokenizer.eos_id, pad_id=tokenizer.pad_id, **options
  )
