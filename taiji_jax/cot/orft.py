"""Which reasoning texts are worth training on: ORFT and its alternatives.

ORFT (arXiv:2606.03866) keeps, of the k reasoning texts of a prompt, those after
which the true answer is likely: PPL(answer | prompt, reasoning) < R, with R the
median on held-out prompts. Where the scores differ much more among prompts than
among the texts of one, a bound for all prompts chooses prompts: those whose
answer is popular. The rule 'within' chooses texts.
"""

import numpy as np

from taiji_jax.errors import UserError

RULES = ('ppl', 'gain', 'best', 'within')

LEAK = 'leak'
TOO_LONG = 'too long'
FAILED = 'failed'
UNSCORED = 'unscored'
UNUSABLE = (LEAK, TOO_LONG, FAILED)
"""First words of the reasons for which a text is in no training set.

`UNSCORED`, too long for the scorer, is none of them: the text is not kept, but
the unfiltered set has it.
"""


def perplexity(logp_sum: np.ndarray, tokens: np.ndarray) -> np.ndarray:
  """Returns exp(-(1/T) sum_t log P(y_t | ...)), float64, at least 1.

  Args:
    logp_sum: the answer's summed log-probabilities, in nats.
    tokens: T, at least 1: those that were summed.
  """
  return np.exp(-np.asarray(logp_sum, np.float64) / tokens)


def needs_bound(rule: str) -> bool:
  """Returns whether a rule compares with a bound from held-out prompts."""
  return rule != 'within'


def threshold(
  rule: str, ppl: np.ndarray, gain: np.ndarray, percentile: float = 50.0
) -> float:
  """Returns the bound of `rule` from the scores of held-out prompts.

  Args:
    rule: one of `RULES` that needs a bound.
    ppl, gain: float, the scores of all held-out texts; NaN where a text has
      none.
    percentile: in (0, 100); of the perplexities, or, counted from the top, of
      the gains: 30 keeps about the best 30 % by either.

  Raises:
    UserError: no score at all, or the rule has no bound.
  """
  if not needs_bound(rule):
    raise UserError(
      f"The rule {rule!r} has no threshold: it compares a prompt's own texts."
    )
  values = np.asarray(gain if rule == 'gain' else ppl, np.float64)
  values = values[np.isfinite(values)]
  if not len(values):
    raise UserError(
      'No held-out text could be scored, so there is no threshold; look at the'
      " reasons in the data's report, or raise length.completion."
    )
  at = 100 - percentile if rule == 'gain' else percentile
  return float(np.percentile(values, at))


def keep(
  rule: str, ppl_rk: np.ndarray, gain_rk: np.ndarray, bound: float = np.nan
) -> np.ndarray:
  """Returns which texts are kept, bool `[r, k]`; none to k of a prompt.

  'ppl' keeps PPL < bound, the paper's rule. 'gain' keeps
  log P(y | CoT) - log P(y | no CoT), in nats a token, > bound: popular answers
  have a low perplexity whatever the reasoning. 'best' keeps the lowest PPL of
  each prompt, where it is below the bound; the first of equal ones. 'within'
  keeps the gains that are at least the mean of their prompt's: equal ones are
  all kept, and so is a single one.

  `Choice:` the mean; the median would keep two texts of three.

  Args:
    rule: one of `RULES`.
    ppl_rk, gain_rk: float, NaN where a text is out of the question.
    bound: see `threshold`; 'within' has none and does not look at it.

  Raises:
    ValueError: an unknown rule.
  """
  if rule == 'gain':
    return np.nan_to_num(gain_rk, nan=-np.inf) > bound
  if rule == 'within':
    return _above_mean(gain_rk)
  ppl_rk = np.nan_to_num(ppl_rk, nan=np.inf)
  below_rk = ppl_rk < bound
  if rule == 'ppl':
    return below_rk
  if rule == 'best':
    best_r = ppl_rk.argmin(1)
    return below_rk & (np.arange(ppl_rk.shape[1]) == best_r[:, None])
  raise ValueError(f'rule is {rule!r}; choose among {", ".join(RULES)}.')


def _above_mean(gain_rk: np.ndarray) -> np.ndarray:
  """Returns which gains are at least the mean of their row; NaN counts not."""
  there_rk = np.isfinite(gain_rk)
  most_r1 = np.where(there_rk, gain_rk, -np.inf).max(1, keepdims=True)
  # Below the row's most: of equal gains all are 0, and so is their mean.
  less_rk = np.where(there_rk, gain_rk - most_r1, 0.0)
  mean_r = less_rk.sum(1) / np.maximum(there_rk.sum(1), 1)
  return there_rk & (less_rk >= mean_r[:, None])
