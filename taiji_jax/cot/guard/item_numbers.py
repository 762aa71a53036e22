"""Item ids that are numbers: what calls a number an item's.

'item 48' names item 48, 'the last 3 items 48 hours apart' does not.
"""

import functools
import re

_BEFORE = r'(?<![^\W_])'
_BETWEEN = r'[\s:=_#№"\'(\[“‘-]*'
_OTHERS = r'(?:\d+(?:\s*(?:,|and\b|or\b|&|/|\+))+\s*)*'
# 'items 48', but neither '3 items 48' nor 'number of items: 48'.
_ITEM = (
  rf'{_BEFORE}(?<!\d )(?<!number of )(?<!count of )(?:item|product|article)s?'
  r'(?:[\s_-]*(?:ids?|numbers?|codes?|no\.?|nr\.?)(?![^\W\d_]))?'
)
_ID = rf'{_BEFORE}(?:ids?|sku|asin)'
_CALLED = rf'(?:(?:{_ITEM}|{_ID}){_BETWEEN}|[#№]\s*){_OTHERS}'
_NUMBER = rf'{_BEFORE}(?:number|no|nr)\.?{_BETWEEN}'
# No part of a longer number.
_END = r'(?![\w.,]?\d)(?!\w)'
_UNITS = (
  '%|per ?cent|of|times|seconds?|secs?|minutes?|mins?|hours?|hrs?|days?'
  '|weeks?|months?|years?|items?|products?|articles?|packs?|pieces?|units?'
  '|people|users?|buyers?|kg|mm|cm|ml|lbs?|oz|inch(?:es)?|feet|ft'
)
_NO_AMOUNT = rf'(?![\s-]*(?:{_UNITS})(?!\w))'
# A number alone is anything's ('the number 48 bus') but where it ends what is
# said or does something.
_SAID = (
  r'(?=\W*$|\s*[.,;:!?)\]"\'”’]|\s+(?:fits?|is|was|would|will|could|should|may'
  r'|might|seems?|suits?|looks|matche?s?|comes|and|or|next)\b)'
)


def names(item_id: str, think: str) -> bool:
  """Returns whether a text calls a number an item's, or just a number.

  Args:
    item_id: digits.
    think: the text.
  """
  return item_id in think and _pattern(item_id).search(think) is not None


@functools.lru_cache(maxsize=1 << 10)
def _pattern(item_id: str) -> re.Pattern[str]:
  return re.compile(
    rf'{_CALLED}{item_id}{_END}{_NO_AMOUNT}|{_NUMBER}{item_id}{_END}{_SAID}',
    re.IGNORECASE,
  )
