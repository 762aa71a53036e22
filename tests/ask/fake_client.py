"""A client that asks nobody, in place of `ask.Client`."""

import asyncio

from taiji_jax.ask.reply import Reply


class FakeClient:
  """Answers by a function; notes what it was asked.

  Attributes:
    names: of the requests, in order.
    seeds: theirs.
    answer: messages to an answer, or an error.
    seconds: how long some answers take, by the last message.
  """

  def __init__(self, answer=lambda messages: 'yes'):
    self.answer = answer
    self.names, self.seeds = [], []
    self.seconds = {}

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
    await asyncio.sleep(self.seconds.get(messages[-1]['content'], 0))
    answer = self.answer(messages)
    if isinstance(answer, Exception):
      raise answer
    return Reply(answer, '', 'stop', None, 5, 1)
