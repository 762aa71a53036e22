"""Questions to a language model behind an endpoint, each asked and paid once.

A `Question` is one conversation, and which of its samples is wanted. An `Asker`
takes many of them and returns an `Answer` each. Every answer is in the
`Journal` on disk before the next is waited for, so that a run that was killed
goes on without paying twice. What is kept of a reply is for the caller to say
(`read`); nothing here knows what the questions are about.

`Client` speaks with any OpenAI-compatible endpoint. Another dialect is one new
file, with a class that has the methods of `Client` and raises the same errors,
and one edit where the `Asker` is made: `Asker(..., client=ThatClass)`.
"""

from taiji_jax.ask.asker import Asker
from taiji_jax.ask.client import Client
from taiji_jax.ask.config import AskConfig
from taiji_jax.ask.journal import Journal
from taiji_jax.ask.question import Answer, Question, questions
from taiji_jax.ask.reply import Read, Reply
from taiji_jax.ask.spending import Prices
from taiji_jax.ask.tally import Tally

__all__ = [
  'Answer',
  'AskConfig',
  'Asker',
  'Client',
  'Journal',
  'Prices',
  'Question',
  'Read',
  'Reply',
  'Tally',
  'questions',
]
