"""The numbers and choices of the RL method."""

import dataclasses
import re
from typing import Any

from taiji_jax import pareto
from taiji_jax.errors import UserError
from taiji_jax.rl import advantage
from taiji_jax.train_state import OptimizerConfig

# The library's rules that need no losses, and those of them that look at the
# per-reward gradients.
_READS = {rule.__name__: rule().reads for rule in pareto.RULES}
WEIGHTINGS = tuple(name for name, reads in _READS.items() if reads != 'losses')
GRADIENT_RULES = tuple(n for n in WEIGHTINGS if _READS[n] == 'gradients')
# The fields that are options of some rules only; all others take none.
_OPTIONS = {
  'popo': ('eta', 'mu'),
  'normalized_popo': ('eta', 'mu'),
  'mirror_min_norm': ('eta',),
  'fixed': ('fixed_weights',),
}
_OF_RULES = ('eta', 'mu', 'fixed_weights')
# 'form' says how gradients are made where there are some: no choice is lost.
_OF_GRADIENTS = ('alignment_every', 'alignment_on')
KL = ('loss', 'reward')
FORMS = ('vjps', 'one_backward', 'jvp')


@dataclasses.dataclass(frozen=True)
class RLConfig:
  """The method's numbers.

  Attributes:
    weighting: 'popo' (the paper's), 'popo_light', 'fixed', or another rule of
      `taiji_jax.pareto`.
    combine: 'sum_then_normalize' (the paper's: the weighted sum of rewards,
      z-scored anew in each group) or 'normalize_then_sum' (GDPO's).
    group: G, rollouts a prompt.
    eta: POPO's step size; also that of 'normalized_popo' and
      'mirror_min_norm'. `Choice:` 1; the paper is silent.
    mu: POPO's KL weight; also that of 'normalized_popo'. `Choice:` 1; the paper
      is silent.
    fixed_weights: for 'fixed': one weight a reward; uniform where empty.
    kl: 'loss' (the paper's: beta KL added once to the combined loss) or
      'reward' (beta times what a rollout's mean log-ratio has above that of its
      group, subtracted from each of its rewards behind the z-score). `Choice:`
      with 'loss' the per-reward losses hold no KL; the paper does not say
      whether they do.
    kl_beta: beta, the weight of KL(policy || SFT model); with 0 the SFT model
      is not run.
    form: how the per-reward gradients are made: 'vjps' (one backward a
      reward, any surrogate), 'one_backward' (all rewards in one, exact where no
      ratio is clipped, as in rollouts of the policy itself, one update each:
      the clip is left out of the per-reward gradients, not of the update; see
      `modules.objective_slots`) or 'jvp' (no per-reward gradients, only their
      alignment: for popo).
    alignment_every: the per-reward gradients are read in every n-th step only;
      between, the weights stay and a step costs what a plain one costs.
    alignment_on: regular expression of the parameter paths whose gradients are
      read, all where empty (arXiv:2509.11452 reads some layers only). `Choice:`
      all; the paper does not say which layers it reads.
    share_prompt: whether a prompt is read once for its G rollouts in the
      training forward too, P + G C tokens instead of G (P + C); same numbers.
      Not with the form 'one_backward', which needs sequences of their own.
    clip: the surrogate's ratio is clipped to 1 - clip and 1 + clip. `Choice:`
      0.2; the paper is silent.
    advantage_epsilon: added to the group's standard deviation.
    temperature: of the rollouts. `Choice:` 1, so that the sampling policy is
      the trained one; the paper is silent.
  """

  weighting: str = 'popo'
  combine: str = 'sum_then_normalize'
  group: int = 4
  eta: float = 1.0
  mu: float = 1.0
  fixed_weights: tuple[float, ...] = ()
  kl: str = 'loss'
  kl_beta: float = 0.04
  form: str = 'vjps'
  alignment_every: int = 1
  alignment_on: str = ''
  share_prompt: bool = False
  clip: float = 0.2
  advantage_epsilon: float = 1e-4
  temperature: float = 1.0

  def __post_init__(self):
    for name, choices in (
      ('weighting', WEIGHTINGS),
      ('combine', advantage.COMBINE),
      ('kl', KL),
      ('form', FORMS),
    ):
      if getattr(self, name) not in choices:
        raise UserError(
          f'rl.{name} is {getattr(self, name)!r}; choose one of'
          f' {", ".join(choices)}.'
        )
    if self.group < 2:
      raise UserError(
        f'rl.group is {self.group}; advantages compare the rollouts of a'
        ' group, so it must be at least 2.'
      )
    for name in ('eta', 'mu', 'clip', 'advantage_epsilon', 'temperature'):
      if not getattr(self, name) > 0:
        raise UserError(
          f'rl.{name} is {getattr(self, name)}; it must be above 0.'
        )
    self._check_alignment()
    if self.kl_beta < 0:
      raise UserError(f'rl.kl_beta is {self.kl_beta}; it must be 0 or more.')
    if self.fixed_weights and not (
      min(self.fixed_weights) >= 0 and sum(self.fixed_weights) > 0
    ):
      raise UserError(
        f'rl.fixed_weights is {self.fixed_weights}; give numbers >= 0, not'
        ' all zero.'
      )

  def _check_alignment(self) -> None:
    """Raises UserError where the weights can't be read as asked."""
    if self.form == 'jvp' and self.weighting not in (
      'popo',
      'popo_light',
      'fixed',
    ):
      raise UserError(
        f"rl.form is 'jvp', which gives no Gramian, and rl.weighting"
        f' {self.weighting!r} needs one; choose another form.'
      )
    if (
      self.share_prompt
      and self.form == 'one_backward'
      and self.weighting in GRADIENT_RULES
    ):
      raise UserError(
        'rl.share_prompt mixes the rollouts of a group, which rl.form'
        " 'one_backward' takes apart; set rl.form to 'vjps', or"
        ' rl.share_prompt to False.'
      )
    if self.alignment_every < 1:
      raise UserError(
        f'rl.alignment_every is {self.alignment_every}; it must be at least 1.'
      )
    try:
      re.compile(self.alignment_on)
    except re.error as error:
      raise UserError(
        f'rl.alignment_on {self.alignment_on!r} is no regular expression'
        f' ({error}); correct it or leave it empty.'
      ) from error
    if self.alignment_on and self.form == 'jvp':
      raise UserError(
        "rl.alignment_on needs per-reward gradients, which rl.form 'jvp' does"
        ' not make; choose another form.'
      )

  def make_weighting(self) -> pareto.Weighting:
    """Returns the weighting rule."""
    rule = self._rule()
    return pareto.cached(rule) if self.reads_rarely else rule

  @property
  def reads_rarely(self) -> bool:
    """Returns whether the per-reward gradients are not read in every step."""
    return self.alignment_every > 1 and self.weighting in GRADIENT_RULES

  def _rule(self) -> pareto.Weighting:
    options = [getattr(self, n) for n in _OPTIONS.get(self.weighting, ())]
    if self.weighting == 'fixed':
      options = [self.fixed_weights or None]
    return getattr(pareto, self.weighting)(*options)

  def unread(self, weighting: pareto.Weighting | None = None) -> list[str]:
    """Returns the fields that were set and that the rule does not read.

    Args:
      weighting: the rule, where it is not the config's; it has its own options
        and is read in every step.
    """
    own = () if weighting else _OPTIONS.get(self.weighting, ())
    names = [name for name in _OF_RULES if name not in own]
    reads = weighting.reads if weighting else _READS[self.weighting]
    if weighting:
      names += ['weighting', 'alignment_every']
    if reads != 'gradients':
      names += _OF_GRADIENTS
    fields = {f.name: f.default for f in dataclasses.fields(RLConfig)}
    return [n for n in fields if n in names and getattr(self, n) != fields[n]]


def overrides_of(rule: str) -> dict[str, Any]:
  """Returns the fields of `RLConfig` that make a rule an arm.

  `gdpo` is the rule `fixed` with `normalize_then_sum`; every other arm keeps
  the recipe's combination.

  Raises:
    UserError: there is no such rule.
  """
  if rule == 'gdpo':
    return {'weighting': 'fixed', 'combine': 'normalize_then_sum'}
  if rule not in WEIGHTINGS:
    raise UserError(
      f'compare.arms names {rule!r}; choose among gdpo,'
      f' {", ".join(WEIGHTINGS)}.'
    )
  return {'weighting': rule}


@dataclasses.dataclass(frozen=True, kw_only=True)
class RLTrainConfig(RLConfig):
  """A recipe's section `rl`: the method, its optimiser, prompts a step.

  Attributes:
    opt: the optimiser and the number of updates.
    prompts: prompts of an update, each with `group` rollouts.
    require_informative_reward: whether a run stops after the tower where, on
      rows no stage trains on, r_id does not tell what users took from what is
      popular; else it goes on, with a warning in the report.
  """

  opt: OptimizerConfig
  prompts: int = 8
  require_informative_reward: bool = True

  def __post_init__(self):
    super().__post_init__()
    if self.prompts < 1:
      raise UserError(f'rl.prompts is {self.prompts}; it must be at least 1.')
