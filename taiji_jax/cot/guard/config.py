"""The thresholds of the leak guard."""

import dataclasses

from taiji_jax.errors import UserError


@dataclasses.dataclass(frozen=True)
class GuardConfig:
  """How much of a title is too much.

  Choice: the paper is silent on how reasoning is kept from quoting the answer.

  Attributes:
    near: share of a title's words that may not stand in a row, in (0, 1].
    run: so many words in a row that stand in few other titles may not either.
    overlap: share of what is rare about the title (words weighted by rarity,
      log of titles / titles with the word) that may not occur, in any order, in
      (0, 1].
    surprise: `overlap` as a sum instead of a share, in nats: words that stand
      together in a title of N by chance once in exp(surprise) / N catalogues.
    listed: `surprise` of an item that the prompt shows as a candidate, in nats:
      a few words tell it from the others. Two words at least.
    telling: of an item that the prompt shows as a candidate, one word of the
      title as rare as this, in nats, may not occur where no name that the
      prompt shows has it: 'the white one'. `Choice:` of three characters or
      more, one of them a letter; no word of prose ('like', 'time'; see
      `prose_words`) and none that more than `rare` categories are called by.
      At 3.5, one title in 33 has the word: Amazon's 'black' tells, 'steel'
      does not. A hundred lets every single word pass.
    least_words: `overlap` and `surprise` count from so many words of the title
      on.
    spelling: a word occurs if that share of its character trigrams does, in
      (0, 1]; words of three letters and less must be the same.
    rare: a word, a run, a model number in at most so many titles is rare.
  """

  near: float = 0.75
  run: int = 4
  overlap: float = 0.5
  surprise: float = 20.0
  listed: float = 8.0
  telling: float = 3.5
  least_words: int = 4
  spelling: float = 0.75
  rare: int = 3

  def __post_init__(self):
    for name in ('near', 'overlap', 'spelling'):
      if not 0 < getattr(self, name) <= 1:
        raise UserError(
          f'{name} is {getattr(self, name)}; give a share above 0 and up to 1.'
        )
    for name in ('surprise', 'listed', 'telling'):
      if not getattr(self, name) > 0:
        raise UserError(
          f'{name} is {getattr(self, name)}; give more than 0 nats.'
        )
    for name in ('run', 'least_words', 'rare'):
      if getattr(self, name) < 1:
        raise UserError(f'{name} is {getattr(self, name)}; give 1 or more.')
