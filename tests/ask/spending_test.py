"""The budget: what is reserved, what is waited for, what no longer fits."""

import asyncio

from absl.testing import absltest

from taiji_jax.ask.spending import Prices, Spending
from taiji_jax.errors import UserError


class SpendingTest(absltest.TestCase):
  def test_prices(self):
    # 2 x 1.5 + 3 x 4 dollars a million.
    self.assertAlmostEqual(Prices(1.5, 4.0).usd(2, 3), 15e-6)
    with self.assertRaisesRegex(UserError, '^prompt is -1'):
      Prices(-1)
    for price in (1e6 + 1, float('inf'), float('nan')):
      with self.assertRaisesRegex(UserError, '^completion is .*1,000,000'):
        Prices(0, price)
    self.assertEqual(Prices(1e6, 0).usd(7, 9), 7)

  def test_waits_for_what_is_under_way(self):
    async def main():
      spending = Spending(10.0, 3.0)
      first = await spending.reserve(4.0)
      second = asyncio.ensure_future(spending.reserve(4.0))
      await asyncio.sleep(0)
      self.assertFalse(second.done())
      await spending.settle(first, 1.0)
      # 3 + 1 + 4 <= 10.
      await spending.settle(await second, 4.0)
      # 8 spent and 2 left.
      await spending.settle(await spending.reserve(2.0), 0.5)
      with self.assertRaisesRegex(UserError, '8.5000 of the budget of 10.0'):
        await spending.reserve(2.0)

    asyncio.run(main())

  def test_all_that_wait_are_told(self):
    async def main():
      spending = Spending(5.0)
      first = await spending.reserve(4.0)
      others = [asyncio.ensure_future(spending.reserve(4.0)) for _ in range(3)]
      await asyncio.sleep(0)
      await spending.settle(first, 4.0)
      found = await asyncio.gather(*others, return_exceptions=True)
      self.assertEqual([type(e) for e in found], [UserError] * 3)

    asyncio.run(main())


if __name__ == '__main__':
  absltest.main()
