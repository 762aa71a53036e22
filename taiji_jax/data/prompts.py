"""Items and users as text, the prompt, and the completion with its parser.

Everything that a model reads or writes is put together and taken apart here;
names that hold our own markers stay names (`data.markers`).
The item text is the paper's (arXiv:2606.03866): 'Item title: ...; Category
L1: ...; L2: ...; L3: ...', levels that are unknown left out.
"""

from collections.abc import Mapping, Sequence
import dataclasses
import re

from taiji_jax.data import prompt_config
from taiji_jax.data.markers import (
  ANSWER_CLOSE,
  ANSWER_OPEN,
  LEVEL_MARKERS,
  LINE_END,
  TAGS,
  THINK_CLOSE,
  THINK_OPEN,
  TITLE_MARKER,
  escape,
  unescape,
  without_tags,
)
from taiji_jax.data.prompt_config import PromptConfig
from taiji_jax.data.tokenizer import Tokenizer
from taiji_jax.errors import UserError
from taiji_jax.types import Catalog

PROFILE_MARKER = 'User: '
HISTORY_MARKER = 'History, most recent first:\n'
CANDIDATE_MARKERS = {
  prompt_config.ANSWER_FIRST: 'Candidates, best first:\n',
  prompt_config.LIKELIEST: 'Candidates, likeliest first:\n',
  prompt_config.SHUFFLED: 'Candidates, in no order:\n',
}
NO_CANDIDATES = 'none\n'
NEXT_MARKER = 'Which item comes next, and why?\n'
NO_REASONING = 'No reasoning.'
STRUCTURE = (
  THINK_OPEN,
  THINK_CLOSE,
  ANSWER_OPEN,
  ANSWER_CLOSE,
  TITLE_MARKER,
  *LEVEL_MARKERS,
  PROFILE_MARKER,
  HISTORY_MARKER,
  *CANDIDATE_MARKERS.values(),
  NEXT_MARKER,
  LINE_END,
)
"""The fixed strings that recur; a tokenizer may make each a single symbol."""

_NO_SIGN = '\N{REPLACEMENT CHARACTER}'
_COMPLETION = re.compile(
  r'\s*{}(.*?){}\s*{}(.*?){}\s*'.format(*map(re.escape, TAGS)), re.DOTALL
)


@dataclasses.dataclass(frozen=True)
class Parsed:
  """A completion taken apart.

  Attributes:
    think, answer: the texts between the tags; '' unless `well_formed`.
    title: None unless the answer starts as an item text.
    categories: L1, L2, L3 as far as stated; () without a title.
    well_formed: exactly one think and then one answer, neither blank, and
      nothing around them but white space.
  """

  think: str
  answer: str
  title: str | None
  categories: tuple[str, ...]
  well_formed: bool


_MALFORMED = Parsed('', '', None, (), False)


def item_text(catalog: Catalog, item: int) -> str:
  """Returns the text of one item, on one line."""
  markers = LEVEL_MARKERS[: len(catalog.categories[item])]
  levels = zip(markers, catalog.categories[item], strict=True)
  return f'{TITLE_MARKER}{escape(catalog.titles[item])}' + ''.join(
    marker + escape(name) for marker, name in levels
  )


def profile_text(profile: Mapping[str, str], config: PromptConfig) -> str:
  """Returns the profile on one line, 'unknown' where no field is known.

  '' where no field is to be shown.
  """
  if not config.profile_fields:
    return ''
  known = [
    f'{field.replace("_", " ")} {escape(profile[field])}'
    for field in config.profile_fields
    if field in profile
  ]
  return PROFILE_MARKER + (', '.join(known) or 'unknown')


def prompt(
  profile: Mapping[str, str],
  history: Sequence[int],
  catalog: Catalog,
  config: PromptConfig,
  candidates: Sequence[int] | None = None,
) -> str:
  """Returns the prompt: profile, history, most recent first, and the question.

  Args:
    profile: the user's fields.
    history: items, most recent first; it ends at the first -1.
    catalog: the items.
    config: what to show.
    candidates: items that may come next, in the order that the config states;
      -1 is none. They stand between history and question, as many as the
      config shows; None leaves that part out.

  Raises:
    UserError: a candidate is not in the catalogue.
  """
  head, items, listed, tail = _pieces(
    profile, history, catalog, config, candidates
  )
  return ''.join([head, *items, *listed, tail])


def encode_prompt(
  tokenizer: Tokenizer,
  profile: Mapping[str, str],
  history: Sequence[int],
  catalog: Catalog,
  config: PromptConfig,
  max_tokens: int,
  candidates: Sequence[int] | None = None,
) -> list[int]:
  """Returns the prompt's tokens, from bos on, at most `max_tokens`.

  See `fitted`; the pieces are encoded one by one, which for a tokenizer with
  `STRUCTURE` as symbols gives the tokens of the whole text.

  Raises:
    UserError: see `fitted`.
  """
  return fitted(
    tokenizer, profile, history, catalog, config, max_tokens, candidates
  )[0]


def fitted(
  tokenizer: Tokenizer,
  profile: Mapping[str, str],
  history: Sequence[int],
  catalog: Catalog,
  config: PromptConfig,
  max_tokens: int,
  candidates: Sequence[int] | None = None,
) -> tuple[list[int], int]:
  """Returns the prompt's tokens, and how many candidates it shows.

  Profile and closing question always stay. Then there is room for the latest
  item of the history, for the candidates, first ones first, and for the older
  items; what does not fit is left out.

  Raises:
    UserError: profile and question alone are longer than `max_tokens`, or a
      candidate is not in the catalogue.
  """
  head, items, listed, tail = _pieces(
    profile, history, catalog, config, candidates
  )
  start = [tokenizer.bos_id, *tokenizer.encode(head)]
  end = tokenizer.encode(tail)
  room = max_tokens - len(start) - len(end)
  if room < 0:
    raise UserError(
      f'A prompt without history takes {max_tokens - room} tokens and'
      f' {max_tokens} are allowed; allow more or show less of the profile.'
    )
  item_ids = [tokenizer.encode(item) for item in items]
  listed_ids = [tokenizer.encode(line) for line in listed]
  latest = _fitting(item_ids[:1], room)
  shown = _fitting(listed_ids, room - sum(map(len, latest)))
  # A head alone would say of candidates what is not so.
  shown = shown if len(shown) > 1 else []
  older = _fitting(item_ids[1:], room - sum(map(len, latest + shown)))
  if len(latest) < len(item_ids[:1]):
    older = []
  ids = [start, *latest, *older, *shown, end]
  count = 0 if listed[1:] == [NO_CANDIDATES] else max(len(shown) - 1, 0)
  return [token for part in ids for token in part], count


def _fitting(parts: Sequence[list[int]], room: int) -> list[list[int]]:
  """Returns the first parts that fit together."""
  found = []
  for ids in parts:
    room -= len(ids)
    if room < 0:
      break
    found.append(ids)
  return found


def _pieces(
  profile: Mapping[str, str],
  history: Sequence[int],
  catalog: Catalog,
  config: PromptConfig,
  candidates: Sequence[int] | None,
) -> tuple[str, list[str], list[str], str]:
  """Returns head, one text an item, the candidates with their head, tail."""
  head = HISTORY_MARKER
  if config.profile_fields:
    head = profile_text(profile, config) + LINE_END + head
  items = []
  for item in history[: config.max_history]:
    if item < 0:
      break
    items.append(item_text(catalog, int(item)) + LINE_END)
  listed = []
  if config.candidates and candidates is not None:
    shown = candidate_texts(candidates, catalog)[: config.candidates]
    lines = [text + LINE_END for text in shown] or [NO_CANDIDATES]
    listed = [CANDIDATE_MARKERS[config.order_told], *lines]
  return head, items, listed, NEXT_MARKER


def candidate_texts(candidates: Sequence[int], catalog: Catalog) -> list[str]:
  """Returns the item texts of candidates; -1 is none and left out.

  Raises:
    UserError: one is not in the catalogue: its list is of another one.
  """
  found = [int(item) for item in candidates if item >= 0]
  if gone := [item for item in found if item >= len(catalog)]:
    raise UserError(
      f'candidate {gone[0]} is not in the catalogue, which has'
      f' {len(catalog)} items; the list was made of another one: retrieve'
      ' candidates anew.'
    )
  return [item_text(catalog, item) for item in found]


def completion(think: str, answer: str) -> str:
  """Returns the completion that `parse` takes apart; tags within are none."""
  think, answer = without_tags(think), without_tags(answer)
  return f'{THINK_OPEN}{think}{THINK_CLOSE}{ANSWER_OPEN}{answer}{ANSWER_CLOSE}'


def opening(think: str) -> str:
  """Returns a completion up to where its answer begins."""
  return completion(think, '').removesuffix(ANSWER_CLOSE)


def prefix_text() -> str:
  """Returns the opening of a completion without reasoning."""
  return opening(NO_REASONING)


def parse(text: str) -> Parsed:
  """Returns the parts of a completion; never raises.

  Choice: the format is strict (see `Parsed.well_formed`), and a malformed
  completion has no parts at all, so that it can earn no reward.
  """
  match = _COMPLETION.fullmatch(text)
  if not match or any(text.count(tag) != 1 for tag in TAGS):
    return _MALFORMED
  think, answer = match.group(1).strip(), match.group(2).strip()
  if not think or not answer:
    return _MALFORMED
  title, categories = parse_item(answer)
  return Parsed(think, answer, title, categories, True)


def parse_item(text: str) -> tuple[str | None, tuple[str, ...]]:
  """Returns title and categories of an item text, (None, ()) if it is none.

  The inverse of `item_text`, whatever its names hold. A level that is blank,
  repeated or out of order makes the text unparsable.
  """
  if not text.startswith(TITLE_MARKER) or LINE_END in text:
    return None, ()
  rest, parts = text.removeprefix(TITLE_MARKER), []
  for marker in LEVEL_MARKERS:
    part, found, after = rest.partition(marker)
    if not found:
      break
    parts.append(part)
    rest = after
  parts.append(rest)
  parts = [part.strip() for part in parts]
  strays = (TITLE_MARKER, *LEVEL_MARKERS)
  if not all(parts) or any(s in part for s in strays for part in parts):
    return None, ()
  title, *levels = map(unescape, parts)
  return title, tuple(levels)


def own_tokens(
  tokenizer: Tokenizer, ids: Sequence[int], text: str
) -> list[bool]:
  """Returns which tokens of an item text are the item's own, not markers.

  A token that holds both is the item's. Of a text that is no item text all
  tokens are.

  Args:
    tokenizer: that made the ids.
    ids: of `text`, without bos and eos.
    text: an answer.
  """
  own = _own_signs(text)
  # Bytes that are no whole sign yet are decoded as one that stands for none.
  ends = [
    len(tokenizer.decode(ids[: i + 1]).rstrip(_NO_SIGN))
    for i in range(len(ids))
  ]
  return [
    any(own[start : max(end, start + 1)])
    for start, end in zip([0, *ends], ends, strict=False)
  ]


def _own_signs(text: str) -> list[bool]:
  """Returns which signs of a text are no part of a marker of an item text."""
  own = [True] * len(text)
  title, levels = parse_item(text)
  if title is not None:
    for marker in (TITLE_MARKER, *LEVEL_MARKERS[: len(levels)]):
      at = text.index(marker)
      own[at : at + len(marker)] = [False] * len(marker)
  return own
