"""Users a second of answers held to candidates, against reading each alone.

Run: python -m experiments.benchmarks.held_answers

A Llama of 1.6M parameters (3 layers, width 128, vocabulary 8,192), random
weights, the same in both; prompts of 110 tokens, 16 tokens of reasoning, drawn
greedily, and five candidates of 6 to 20 tokens a user: which has the highest
log P behind prompt and reasoning? `ours` is `decode.held.Held`: one forward of
all candidates behind the prompts' cache. `shared` draws as ours does, then
reads prompt and reasoning again, once for all candidates (`forked_logp`);
`forwards` reads them again for each. `torch` is transformers' `generate` and a
forward of each candidate with its prompt, logits of the candidates alone;
`torch_cached` repeats the cache that `generate` leaves for each candidate. A
ratio above 1 means that ours is faster; `difference` is a candidate's largest
from ours, in nats, of the median user. Last line: one JSON object.
"""

from collections.abc import Callable, Sequence
import dataclasses
import importlib.util
import re

from absl import flags
import jax
import numpy as np

from experiments import entry
from experiments.benchmarks import held_torch, saving, timing, torch_llama
from taiji_jax import markdown
from taiji_jax.data.markers import ANSWER_CLOSE, ANSWER_OPEN
from taiji_jax.data.padding import padded
from taiji_jax.decode import BatchConfig
from taiji_jax.decode.held import Held
from taiji_jax.decode.reasoning import Reasoner
from taiji_jax.errors import UserError
from taiji_jax.modules import logprob
from taiji_jax.modules.decoder import Decoder
from taiji_jax.modules.decoder_config import DecoderConfig
from taiji_jax.sharding import MeshConfig

_USERS = flags.DEFINE_integer('users', 256, 'Rows in all.')
_BATCH = flags.DEFINE_integer('batch', 64, 'Rows at a time.')
_PROMPT = flags.DEFINE_integer('prompt', 110, 'Tokens of a prompt.')
_REASONING = flags.DEFINE_integer('reasoning', 16, 'Tokens of the reasoning.')
_CANDIDATES = flags.DEFINE_integer('candidates', 5, 'Candidates of a user.')
_LAYERS = flags.DEFINE_integer('layers', 3, 'Of the model.')
_ROUNDS = flags.DEFINE_integer('rounds', 3, 'How often each is timed.')
_RIVAL = flags.DEFINE_bool('rival', True, 'Whether torch runs as well.')

SHORTEST, LONGEST = 6, 20
MODEL = DecoderConfig(
  vocab_size=8192,
  num_layers=3,
  width=128,
  num_heads=4,
  num_kv_heads=2,
  mlp_width=384,
  stacked=False,
)
# Beyond what the model draws, so that reasoning goes on to its limit.
_TAG, _CLOSE = MODEL.vocab_size, 3


@dataclasses.dataclass(frozen=True)
class Work:
  """What is answered.

  Attributes:
    prompt_up: int32 `[users, P]`.
    candidates: token ids, the closing one with them, of each user's C.
    reasoning: tokens to draw.
    batch: users at a time.
  """

  prompt_up: np.ndarray
  candidates: list[list[list[int]]]
  reasoning: int
  batch: int

  @classmethod
  def draw(
    cls, users: int, prompt: int, candidates: int, reasoning: int, batch: int
  ) -> 'Work':
    """Returns random prompts and candidates."""
    rng = np.random.default_rng(0)
    length_uc = rng.integers(SHORTEST, LONGEST + 1, (users, candidates))
    draw = lambda n: rng.integers(4, MODEL.vocab_size, n)  # noqa: E731
    return cls(
      draw((users, prompt)).astype(np.int32),
      [[[*draw(n - 1).tolist(), _CLOSE] for n in row] for row in length_uc],
      reasoning,
      batch,
    )

  def parts(self) -> list[slice]:
    """Returns the users of each batch; all batches are full."""
    return [
      slice(at, at + self.batch)
      for at in range(0, len(self.prompt_up), self.batch)
    ]


class Words:
  """A tokenizer of words w4, w5... by which whatever is drawn is reasoning."""

  pad_id, eos_id = 0, -1

  def encode(self, text: str) -> list[int]:
    """Returns the ids of words and of the closing tag."""
    ids = [int(word) for word in re.findall(r'w(\d+)', text)]
    if ANSWER_OPEN in text:
      ids.append(_TAG)
    return [*ids, _CLOSE] if ANSWER_CLOSE in text else ids

  def decode(self, ids: Sequence[int]) -> str:
    """Returns a text in the format."""
    return f'<think>{len(ids)} words</think>{ANSWER_OPEN}'


def main() -> None:
  """Times all contenders and prints users a second and ratios."""
  _check_flags()
  config = dataclasses.replace(MODEL, num_layers=_LAYERS.value)
  rival = _RIVAL.value and importlib.util.find_spec('torch') is not None
  model = torch_llama.make(config).eval() if rival else None
  config, params = held_torch.weights(config, model)
  work = Work.draw(
    _USERS.value,
    _PROMPT.value,
    _CANDIDATES.value,
    _REASONING.value,
    _BATCH.value,
  )
  contenders = {
    'ours': held(config, params, work),
    'shared': anew(config, params, work, shared=True),
    'forwards': anew(config, params, work, shared=False),
  }
  if model is not None:
    contenders |= held_torch.contenders(model, work)
  found = {}

  def keeping(name: str) -> Callable[[], None]:
    return lambda: found.update({name: contenders[name]()})

  seconds = timing.interleave(
    {name: keeping(name) for name in contenders}, _ROUNDS.value
  )
  result = {
    'device': jax.devices()[0].device_kind,
    'parameters': config.parameters,
    'users': _USERS.value,
    'contenders': {
      name: {
        'users_per_second': round(_USERS.value / float(np.median(taken)), 1),
        'ours_is_faster_by': round(timing.ratio(taken, seconds['ours']), 2),
        'difference': difference(found[name], found['ours']),
      }
      for name, taken in seconds.items()
    },
  }
  print(table(result['contenders']))
  saving.tell(result, 'torch', 'transformers')


def _check_flags() -> None:
  for flag in (_USERS, _BATCH, _PROMPT, _REASONING, _CANDIDATES, _LAYERS):
    if flag.value < 1:
      raise UserError(f'--{flag.name} is {flag.value}; give at least 1.')
  if _USERS.value % _BATCH.value:
    raise UserError(
      f'--users is {_USERS.value}, no multiple of --batch={_BATCH.value};'
      ' change one of them.'
    )


def held(
  config: DecoderConfig, params: dict, work: Work
) -> Callable[[], np.ndarray]:
  """Returns a call of `Held` for log P of all candidates, `[users, C]`."""
  answers = Held(
    Decoder(config),
    Words(),
    work.reasoning,
    batch=BatchConfig(rows=work.batch, check_every=8),
  )
  prompts = work.prompt_up.tolist()
  texts = [
    [''.join(f'w{i}' for i in ids[:-1]) for ids in own]
    for own in work.candidates
  ]
  return lambda: answers(params, prompts, texts).logp_bc


def anew(
  config: DecoderConfig, params: dict, work: Work, shared: bool
) -> Callable[[], np.ndarray]:
  """Returns a call that reads prompt and reasoning again, for the same.

  Args:
    config, params, work: the model and what is answered.
    shared: whether they are read once for all candidates of a user.
  """
  # So many tokens' logits at a time as ours has.
  rows = work.batch * (1 if shared else len(work.candidates[0]))
  tokens = LONGEST * (len(work.candidates[0]) if shared else 1)
  chunk = min(max(1024 // rows, 1), tokens)
  decoder = Decoder(dataclasses.replace(config, loss_chunk=chunk))
  reason = Reasoner(decoder, Words(), work.reasoning, MeshConfig().make())
  score = jax.jit(
    lambda *args: (logprob.forked_logp if shared else logprob.completion_logp)(
      decoder, *args
    )
  )

  def part(users: slice) -> np.ndarray:
    prompt_bp, own = work.prompt_up[users], work.candidates[users]
    length_b = np.full(len(own), prompt_bp.shape[1], np.int32)
    written, _ = reason(params, prompt_bp, length_b, len(own))
    prompt_bp = np.concatenate([prompt_bp, np.array(written, np.int32)], 1)
    length_b += work.reasoning
    flat = [ids for row in own for ids in row]
    token_nt, length_n = padded(flat, LONGEST, 0)
    mask_nt = np.arange(LONGEST) < length_n[:, None]
    shape = (len(own), len(own[0]))
    if shared:
      token_nt = token_nt.reshape(*shape, -1)
      length_n = length_n.reshape(shape)
    else:
      prompt_bp = np.repeat(prompt_bp, shape[1], 0)
      length_b = np.repeat(length_b, shape[1])
    logp = score(params, prompt_bp, length_b, token_nt, length_n)
    logp_nt = np.asarray(logp).reshape(mask_nt.shape)
    return np.where(mask_nt, logp_nt, 0).sum(1).reshape(shape)

  return lambda: np.concatenate([part(users) for users in work.parts()])


def difference(found_uc: np.ndarray, ours_uc: np.ndarray) -> float:
  """Returns the largest of a user's candidates, of the median user."""
  return float(f'{np.median(np.abs(found_uc - ours_uc).max(1)):.2g}')


def table(contenders: dict[str, dict[str, float]]) -> str:
  """Returns the contenders as a Markdown table."""
  rows = [
    (
      f'`{name}`',
      f'{one["users_per_second"]:.1f}',
      f'{one["ours_is_faster_by"]:.2f}x',
      f'{one["difference"]:.1g}',
    )
    for name, one in contenders.items()
  ]
  head = ('', 'users/s', 'ours is faster by', 'difference, nats')
  return markdown.grid(head, rows)


if __name__ == '__main__':
  entry.run(main)
