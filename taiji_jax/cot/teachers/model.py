"""A teacher that is a checkpoint at hand, run by a sampler passed in."""

from collections.abc import Iterator, Mapping, Sequence
import dataclasses
from typing import Any, Protocol

from taiji_jax import interrupt
from taiji_jax.ask import Answer, Journal, Question, Tally
from taiji_jax.ask.entry import DONE, Entry, replied
from taiji_jax.ask.question import draw_seed
from taiji_jax.cot.teacher import CotRequest, CotSample
from taiji_jax.cot.teachers import asked, reasoning
from taiji_jax.cot.teachers.text import TeacherText
from taiji_jax.data import prompts
from taiji_jax.errors import UserError

_LENGTH, _STOP = 'length', 'stop'


class Generation(Protocol):
  """What a sampler gives: one completion.

  Attributes:
    tokens: its ids.
    text: decoded, cut before a stop string.
    logp: log-probability of each of `tokens`.
    reason: 'end', 'stop' (a stop string) or 'length'.
  """

  tokens: Sequence[int]
  text: str
  logp: Sequence[float]
  reason: str


class Generate(Protocol):
  """A sampler; a completion depends on its prompt and its seed alone."""

  def __call__(
    self,
    prompts: Sequence[Sequence[int]],
    seeds: Sequence[int],
    *,
    stop: Sequence[str] = (),
  ) -> list[Any]:
    """Returns a `Generation` a seed, those of a prompt next to each other."""
    ...


class ChatTokenizer(Protocol):
  """A tokenizer that knows how its model is talked to."""

  def encode(self, text: str) -> list[int]:
    """Returns the ids of a text."""
    ...

  def decode(self, ids: Sequence[int]) -> str:
    """Returns the text of ids."""
    ...

  def chat(self, messages: Sequence[Mapping[str, str]]) -> list[int]:
    """Returns the ids of a conversation, up to where the model answers."""
    ...


@dataclasses.dataclass(frozen=True)
class ModelTeacherConfig:
  """How a checkpoint is asked.

  Attributes:
    model: names the checkpoint; another name is asked anew.
    sampling: how the sampler draws, for the journal: other values are asked
      anew.
    seed: of the draws.
    prefill: what its answer is made to begin with, as '<think>'; part of it.
    batch: samples between two writes to the journal.
    max_prompt: the most tokens of a prompt.
  """

  model: str
  sampling: Mapping[str, Any]
  seed: int = 0
  prefill: str = ''
  batch: int = 256
  max_prompt: int = 1 << 14

  def __post_init__(self):
    for name in ('batch', 'max_prompt'):
      if getattr(self, name) < 1:
        raise UserError(
          f'{name} is {getattr(self, name)}; it must be at least 1.'
        )
    if self.seed < 0:
      raise UserError(f'seed is {self.seed}; give at least 0.')


class ModelTeacher:
  """Samples of a local model; what is in the journal is not sampled again.

  The samples are not guarded: a model may state the target, and what is done
  about it is the job's.

  Choice: a sample that breaks the format or is cut off is kept as unusable and
  not drawn again, so that k draws are k draws.

  Attributes:
    tally: what became of the samples so far.
  """

  def __init__(
    self,
    generate: Generate,
    tokenizer: ChatTokenizer,
    text: TeacherText,
    config: ModelTeacherConfig,
    journal: Journal,
  ):
    """Takes the parts; nothing is generated.

    Args:
      generate: prompts and seeds to completions; with a tokenizer of its own
        for stop strings.
      tokenizer: the model's.
      text: how a request is put.
      config: how the model is asked.
      journal: open, of this teacher alone.
    """
    self._generate, self._tokenizer = generate, tokenizer
    self._text, self._config, self._journal = text, config, journal
    self._answers = not text.template.tells_target
    self._stop = prompts.ANSWER_CLOSE if self._answers else prompts.THINK_CLOSE
    self.tally = Tally()

  def __call__(
    self, requests: Sequence[CotRequest], k: int
  ) -> list[list[CotSample]]:
    """Returns k samples a request; its text is '' where nothing was kept.

    Raises:
      UserError: a prompt is too long, or the journal cannot be written.
      Interrupted: a signal came; the batch in progress was finished and kept.
    """
    config = self._config
    questions = asked.questions(
      self._text,
      requests,
      k,
      model=config.model,
      sampling=dict(config.sampling) | {'prefill': config.prefill},
      seed=config.seed,
    )
    entries = self._journal.find(questions)
    missing = {one.key: one for one in questions if one.key not in entries}
    self.tally.reused += len(entries)
    with interrupt.deferred() as stop:
      for batch in self._batches(list(missing.values())):
        if stop:
          raise interrupt.Interrupted(
            stop.signal_number, 'a batch of samples, all of them kept'
          )
        sampled = self._sample(batch)
        self._journal.append(sampled)
        entries |= {entry.key: entry for entry in sampled}
        self._count(sampled)
    return asked.samples([entries[one.key].kept for one in questions], k)

  def _batches(
    self, missing: Sequence[Question]
  ) -> Iterator[list[list[Question]]]:
    """Yields lists of contexts that miss equally many samples each."""
    by_row: dict[tuple[int, int], list[Question]] = {}
    for one in missing:
      by_row.setdefault((one.row, id(one.messages)), []).append(one)
    by_count: dict[int, list[list[Question]]] = {}
    for own in by_row.values():
      by_count.setdefault(len(own), []).append(own)
    for count, contexts in sorted(by_count.items()):
      size = max(1, self._config.batch // count)
      for i in range(0, len(contexts), size):
        yield contexts[i : i + size]

  def _sample(self, contexts: Sequence[Sequence[Question]]) -> list[Entry]:
    """Returns the entries of all samples of some contexts."""
    prompts_ids = [self._prompt(own[0]) for own in contexts]
    flat = [one for own in contexts for one in own]
    seeds = [draw_seed(self._config.seed, o.row, o.sample) for o in flat]
    found = self._generate(prompts_ids, seeds, stop=(self._stop,))
    each = len(contexts[0])
    return [
      self._entry(one, generation, len(prompts_ids[i // each]))
      for i, (one, generation) in enumerate(zip(flat, found, strict=True))
    ]

  def _prompt(self, question: Question) -> list[int]:
    ids = list(self._tokenizer.chat(question.messages))
    if self._config.prefill:
      ids += self._tokenizer.encode(self._config.prefill)
    if len(ids) > self._config.max_prompt:
      raise UserError(
        f'The prompt of row {question.row} has {len(ids)} tokens and'
        f' {self._config.max_prompt} are allowed; show less history'
        ' (prompt.max_history) or raise max_prompt.'
      )
    return ids

  def _entry(
    self, question: Question, sampled: Generation, prompt_tokens: int
  ) -> Entry:
    text = self._config.prefill + sampled.text
    if sampled.reason == _STOP:
      text += self._stop
    found = reasoning.read(text, answers=self._answers)
    fault = 'ended by length' if sampled.reason == _LENGTH else found.fault
    logprobs = None if fault else self._logprobs(sampled, found.think)
    return replied(
      question,
      0,
      Answer(found.think, found.answer, logprobs),
      fault,
      text,
      prompt_tokens=prompt_tokens,
      completion_tokens=len(sampled.tokens),
    )

  def _logprobs(
    self, sampled: Generation, think: str
  ) -> tuple[float, ...] | None:
    """Returns the log-probabilities of the tokens that hold `think`."""
    start = sampled.text.rfind(think)
    if start < 0:
      return None
    stop = start + len(think)
    low = self._tokens_to(sampled.tokens, start + 1) - 1
    return tuple(
      float(x)
      for x in sampled.logp[low : self._tokens_to(sampled.tokens, stop)]
    )

  def _tokens_to(self, tokens: Sequence[int], letters: int) -> int:
    """Returns the fewest first tokens that spell so many letters."""
    low, high = 0, len(tokens)
    while low < high:
      middle = (low + high) // 2
      if len(self._tokenizer.decode(tokens[:middle])) >= letters:
        high = middle
      else:
        low = middle + 1
    return low

  def _count(self, entries: Sequence[Entry]) -> None:
    for entry in entries:
      done = entry.status == DONE
      self.tally.answered += done
      self.tally.unusable += not done
      self.tally.prompt_tokens += entry.prompt_tokens
      self.tally.completion_tokens += entry.completion_tokens
