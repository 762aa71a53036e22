import dataclasses
import json
import math

from absl.testing import absltest, parameterized

from taiji_jax.shards import codec as record_json
from tests.cot import small_job

RECORD = small_job.record(5, 1)


class RecordJsonTest(parameterized.TestCase):
  def test_there_and_back(self):
    # The prompt holds an accent, a quote, a newline and a lone surrogate.
    text = record_json.encode(RECORD)
    self.assertEqual(record_json.decode(text), RECORD)
    self.assertNotIn(b'\n', text)
    self.assertTrue(text.isascii())

  def test_fields_in_the_order_of_the_class(self):
    names = [field.name for field in dataclasses.fields(RECORD)]
    self.assertEqual(list(json.loads(record_json.encode(RECORD))), names)
    self.assertEqual(list(record_json.schema()['fields']), names)

  def test_schema(self):
    fields = record_json.schema()['fields']
    self.assertEqual(fields['row'], 'int')
    self.assertEqual(fields['ppl'], 'float | null')
    self.assertEqual(fields['kept'], 'bool')

  @parameterized.parameters(
    ('row', True),
    ('row', 1.0),
    ('row', None),
    ('user', 3),
    ('kept', 1),
    ('ppl', 2),
    ('ppl', math.nan),
    ('gain', math.inf),
  )
  def test_refuses_to_write(self, name: str, value: object):
    with self.assertRaisesRegex(ValueError, name):
      record_json.encode(dataclasses.replace(RECORD, **{name: value}))

  @parameterized.parameters(
    ({'row': '5'}, 'row'),
    ({'ppl': True}, 'ppl'),
    ({'more': 1}, 'more'),
  )
  def test_refuses_to_read(self, change: dict, name: str):
    values = json.loads(record_json.encode(RECORD)) | change
    with self.assertRaisesRegex(ValueError, name):
      record_json.decode(json.dumps(values).encode())

  def test_refuses_what_lacks_a_field_or_is_no_record(self):
    values = json.loads(record_json.encode(RECORD))
    del values['seed']
    for text in (json.dumps(values), '[]', '{', 'null'):
      with self.subTest(text), self.assertRaises(ValueError):
        record_json.decode(text.encode())


if __name__ == '__main__':
  absltest.main()
