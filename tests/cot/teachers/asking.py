"""A small endpoint teacher; run as a program it asks and prints its tally."""

import json
import sys

from taiji_jax.ask.config import AskConfig
from taiji_jax.ask.journal import Journal
from taiji_jax.cot.teacher import CotRequest
from taiji_jax.cot.teachers import prompt_template
from taiji_jax.cot.teachers.endpoint import EndpointTeacher
from taiji_jax.cot.teachers.text import TeacherText
from taiji_jax.types import Catalog

CATALOG = Catalog(
  item_ids=('1', '2'),
  titles=('Saw', 'Drill $5'),
  categories=(('Tools',), ('Tools', 'Power Tools')),
)
VARIABLE = 'TAIJI_TEST_KEY'


def requests(count, target=0):
  return [
    CotRequest(row, {'age': str(row)}, (1, 0), target) for row in range(count)
  ]


def config(url, **changes):
  values = {
    'model': 'm',
    'base_url': url,
    'key_variable': VARIABLE,
    'max_tokens': 20,
    'tries': 4,
    'try_seconds': 5.0,
    'first_backoff': 0.01,
    'most_backoff': 0.05,
    'concurrency': 4,
  }
  return AskConfig(**(values | changes))


def teacher(url, journal, prompt='rupr_v1', stop_at_tag=False, **changes):
  text = TeacherText(prompt_template.load(prompt), CATALOG)
  asked = config(url, **changes)
  return EndpointTeacher(asked, text, journal, stop_at_tag=stop_at_tag)


def main(url, folder, count, changes):
  with Journal(folder) as journal:
    asking = teacher(url, journal, **json.loads(changes))
    print(asking, asking.__dict__, flush=True)
    asking(requests(int(count)), 2)
    print(asking.tally, flush=True)


if __name__ == '__main__':
  main(*sys.argv[1:])
