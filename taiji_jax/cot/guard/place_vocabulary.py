"""The words of the grammar of places."""


def _set(text: str) -> frozenset[str]:
  return frozenset(text.split())


ORDINALS = (
  'first',
  'second',
  'third',
  'fourth',
  'fifth',
  'sixth',
  'seventh',
  'eighth',
  'ninth',
  'tenth',
)
CARDINALS = (
  'one',
  'two',
  'three',
  'four',
  'five',
  'six',
  'seven',
  'eight',
  'nine',
  'ten',
)
ROMANS = ('i', 'ii', 'iii', 'iv', 'v', 'vi', 'vii', 'viii', 'ix', 'x')
FIRST = frozenset(
  ('top', 'topmost', 'uppermost', 'initial', 'opening', 'leading', 'foremost')
)
LAST = frozenset(
  ('last', 'final', 'bottom', 'bottommost', 'lowermost', 'closing', 'lowest')
)
MIDDLE = frozenset(('middle', 'central', 'centre', 'center', 'middlemost'))
ONLY = frozenset(('only', 'sole', 'single'))
PRAISE = frozenset(('best', 'highest'))
STARTS = frozenset(('top', 'head', 'start', 'beginning', 'front'))
FINISHES = frozenset(('bottom', 'end', 'foot', 'last', 'back', 'tail'))

_NOUN = (
  'candidate',
  'option',
  'suggestion',
  'alternative',
  'proposal',
  'contender',
  'choice',
  'recommendation',
)
PLURALS = frozenset(f'{noun}s' for noun in (*_NOUN, 'pick'))
IDIOMS = frozenset(('choice', 'choices', 'pick', 'picks'))
LABELLED = frozenset((*_NOUN, *(f'{noun}s' for noun in _NOUN), 'answer'))
NOUNS = frozenset((*_NOUN, 'pick')) | PLURALS
LISTS = frozenset(('list', 'shortlist', 'lineup', 'lists'))
SPOTS = frozenset(('position', 'slot', 'entry', 'spot', 'rank', 'place'))
THINGS = SPOTS | frozenset(
  ('item', 'one', 'product', 'line', 'row', 'name', 'title', 'thing')
)
PREPOSITIONS = frozenset(('of', 'among', 'amongst', 'from', 'in', 'on', 'out'))
DETERMINERS = _set(
  'the these those this that your our all given listed shown above proposed'
  ' possible offered here below available said'
)
SHOWN = _set('listed shown given presented offered proposed above')
RANKED = _set('listed ranked ranks rank placed shown named mentioned numbered')
STANDS = _set('appears stands sits appearing standing sitting')
COMES = _set('comes is was goes')
INDEFINITE = frozenset(('a', 'an', 'another', 'every', 'each', 'any'))
OWNERS = _set('their his her my its your our')
AFTER = _set(
  'is was are were will would could should may might can must seems seemed'
  ' looks fits suits matches works comes stands sits has does makes wins serves'
  ' belongs follows remains feels appears and or but nor as because since than'
  ' then there here too also most instead if so while where which that it'
  ' they fit suit best'
)
THIRD = _set('is was seems looks fits suits matches works comes has wins')
PUNCTUATION = frozenset('.,;:!?)]–—\n')
MARKS = frozenset(('#', '(', '[', ':', '='))
CALLS = _set('no nr number numbered marked labelled labeled called with letter')
UNITS = _set(
  '% percent per inch inches pack packs piece pieces mm cm ml oz lb lbs ft feet'
  ' foot kg g times time yard yards count users people years months weeks days'
  ' hours x'
)
JOINS = frozenset((',', 'and', 'or', 'nor', '&', '/', 'not', 'but'))
PAST = _set(
  'history purchase purchases purchased bought buy ordered order orders recent'
)

HEADS = NOUNS | {'one', 'entry', 'item', 'product', 'that', 'what', 'it'}
OPENS = _set(
  'heads tops leads opens starts begins heading topping leading opening'
  ' starting beginning headed topped opened'
)
CLOSES = _set(
  'ends closes finishes concludes completes ending closing finishing concluding'
  ' completing closed'
)
WITH = _set('with by on at in')
ADVERBS = _set(
  'right just directly immediately is stands sits comes appears listed shown'
  ' placed ranked that which very straight'
)
STEPS = {
  'above': -1,
  'before': -1,
  'preceding': -1,
  'precedes': -1,
  'over': -1,
  'below': 1,
  'beneath': 1,
  'under': 1,
  'underneath': 1,
  'after': 1,
  'behind': 1,
  'following': 1,
  'follows': 1,
  'succeeds': 1,
}
VERBS = ('precedes', 'follows', 'succeeds')
NEGATORS = _set(
  'not cannot neither nor no none never unlike except excluding without rather'
  ' instead reject rejects rejected exclude excludes excluded dismiss dismisses'
  ' dismissed rule rules ruled'
)
RELATIVES = frozenset(('that', 'which', 'is', 'was', 'are', 'were'))
LEADS = frozenset(('the', 'very', 'in', 'as', 'at'))
