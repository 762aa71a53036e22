"""Words however they are written."""

from absl.testing import absltest, parameterized

from taiji_jax.cot.guard import spelling

_KNOWN = frozenset(('hatchbox', 'pla', '3d', 'printer', 'filament', 'box'))


class SpellingTest(parameterized.TestCase):
  @parameterized.parameters(
    ('\u0412\u041e\u0414\u0410 \u0432\u043e\u0434\u0430', 1),
    ('\u0397\u03a1\u0391 \u03b7\u03c1\u03b1', 1),
    ('STRASSE stra\u00dfe', 1),
    ('soft\u00adware software', 1),
    ('snake_case snake case', 2),
  )
  def test_one_word_however_it_is_written(self, text, distinct):
    self.assertLen(set(spelling.words(text)), distinct)

  @parameterized.parameters(
    ('a HatchboxPLA3DPrinter', ['hatchbox', 'pla', '3d', 'printer']),
    ('hatchboxfilaments', ['hatchbox', 'filament']),
    ('TheHatchbox, a box', ['hatchbox', 'box']),
    ('thehatchboxpla', ['hatchbox', 'pla']),
    ('filaments', ['filaments']),
    ('hatchboxed', ['hatchboxed']),
    ('h a t c h b o x', ['hatchbox']),
    ('so p l a 3 d', ['so', 'pla', '3d']),
    ('kind 1. b o x 2', ['kind', '1', 'box', '2']),
    ('1 2 3 b o x', ['1', '2', '3', 'b', 'o', 'x']),
    ('so p l a', ['so', 'pla']),
    ('p-l', ['p', 'l']),
    ('hatchb0x F1LAMENT', ['hatchbox', 'filament']),
    ('b0x 3d 1000', ['b0x', '3d', '1000']),
    ('a b c', ['b', 'c']),
    ('x.h.a.t', ['x', 'h', 't']),
    ('', []),
  )
  def test_words_apart(self, text, found):
    self.assertEqual(spelling.words_apart(text, _KNOWN), found)

  @parameterized.parameters(
    ('10194-A', ['10194a']),
    ('a 10194 A is', ['10194a', 'is']),
    ('10194 a day', ['10194', 'day']),
    ('A-100 of the', ['a100', 'of']),
    ('12-day', ['12', 'day']),
    ('la-12 Beta-12', ['la12', 'beta', '12']),
  )
  def test_an_article_of_a_number_is_a_part_of_it(self, text, found):
    self.assertEqual(spelling.model_words(text), found)


if __name__ == '__main__':
  absltest.main()
