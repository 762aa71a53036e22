"""A client that asks nobody, in place of `ask.Client`."""

from taiji_jax.ask.reply import Reply


class FakeClient:
  """Answers by a function; notes what it was asked.

  Attributes:
    names: of the requests, in order.
    seeds: theirs.
  """

  def __init__(self, answer=lambda messages: 'yes'):
    self._answer = answer
    self.names, self.seeds = [], []

  def __call__(self, config):
    """Returns itself: it is made for any endpoint."""
    return self

  async def __aenter__(self):
    return self

  async def __aexit__(self, *_):
    pass

  async def ask(self, messages, seed, name):
    self.names.append(name)
    self.seeds.append(seed)
    answer = self._answer(messages)
    if isinstance(answer, Exception):
      raise answer
    return Reply(answer, '', 'stop', None, 5, 1)
