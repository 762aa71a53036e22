import dataclasses
import json
import math
import pickle

from absl.testing import absltest, parameterized

from taiji_jax.cot.record import CODEC
from taiji_jax.shards.codec import Codec
from tests.shards import small_job


@dataclasses.dataclass(frozen=True)
class Feature:
  row: int
  value: float
  name: str | None
  seen: bool | None = None


RECORD = small_job.record(5, 1)


class CodecTest(parameterized.TestCase):
  def test_there_and_back(self):
    # The prompt holds an accent, a quote, a newline and a lone surrogate.
    text = CODEC.encode(RECORD)
    self.assertEqual(CODEC.decode(text), RECORD)
    self.assertNotIn(b'\n', text)
    self.assertTrue(text.isascii())

  def test_fields_in_the_order_of_the_class(self):
    names = [field.name for field in dataclasses.fields(RECORD)]
    self.assertEqual(list(json.loads(CODEC.encode(RECORD))), names)
    self.assertEqual(list(CODEC.schema()['fields']), names)

  def test_schema(self):
    fields = CODEC.schema()['fields']
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
      CODEC.encode(dataclasses.replace(RECORD, **{name: value}))

  @parameterized.parameters(
    ({'row': '5'}, 'row'),
    ({'ppl': True}, 'ppl'),
    ({'more': 1}, 'more'),
  )
  def test_refuses_to_read(self, change: dict, name: str):
    values = json.loads(CODEC.encode(RECORD)) | change
    with self.assertRaisesRegex(ValueError, name):
      CODEC.decode(json.dumps(values).encode())

  def test_refuses_what_lacks_a_field_or_is_no_record(self):
    values = json.loads(CODEC.encode(RECORD))
    del values['seed']
    for text in (json.dumps(values), '[]', '{', 'null'):
      with self.subTest(text), self.assertRaises(ValueError):
        CODEC.decode(text.encode())


class AnyDataclassTest(parameterized.TestCase):
  def test_there_and_back(self):
    codec = Codec(Feature, version=3)
    self.assertEqual(
      codec.schema(),
      {
        'version': 3,
        'fields': {
          'row': 'int',
          'value': 'float',
          'name': 'str | null',
          'seen': 'bool | null',
        },
      },
    )
    feature = Feature(1, 0.5, None, True)
    text = codec.encode(feature)
    self.assertEqual(text, b'{"row":1,"value":0.5,"name":null,"seen":true}')
    self.assertEqual(codec.decode(text), feature)
    # It is sent to the workers of a Beam runner.
    self.assertEqual(pickle.loads(pickle.dumps(codec)), codec)

  @parameterized.parameters(
    (dataclasses.make_dataclass('A', ['a']), 'no frozen dataclass'),
    (Codec, 'Codec.cls may be'),
    (int, 'no frozen dataclass'),
    (
      dataclasses.make_dataclass('B', [('b', list[int])], frozen=True),
      'B.b may be .*list.* is str, int',
    ),
  )
  def test_refuses_a_class(self, cls: type, said: str):
    with self.assertRaisesRegex(ValueError, said):
      Codec(cls)


if __name__ == '__main__':
  absltest.main()
