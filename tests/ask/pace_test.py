"""Rates on a clock of the test's own; back-off; what servers ask for."""

import asyncio

from absl.testing import absltest, parameterized

from taiji_jax.ask.client import retry_after
from taiji_jax.ask.pace import Pace, backoff


class Clock:
  def __init__(self):
    self.now = 0.0

  def __call__(self):
    return self.now

  async def sleep(self, seconds):
    self.now += seconds


def times(sizes, *limits, act=lambda pace: None):
  """When requests of these sizes pass, one after the other."""
  clock = Clock()
  pace = Pace(*limits, clock=clock, sleep=clock.sleep)
  found = []

  async def main():
    for size in sizes:
      await pace.take(size)
      found.append(clock.now)
      act(pace)

  asyncio.run(main())
  return found


class PaceTest(parameterized.TestCase):
  def test_requests(self):
    # 120 a minute: 2 saved up and one on credit, then one each half second.
    self.assertEqual(times([1] * 6, 120), [0.0, 0.0, 0.0, 0.5, 1.0, 1.5])

  def test_rare_requests(self):
    # 6 a minute; 0.1 saved up: 0.9 owed after the first.
    for found, wanted in zip(times([1] * 3, 6), [0, 9, 19], strict=True):
      self.assertAlmostEqual(found, wanted)

  def test_tokens(self):
    # 600 a minute are 10 a second: 110 owe 100, which take 10 s.
    self.assertEqual(times([110, 110, 1], None, 600), [0.0, 10.0, 21.0])

  def test_the_stricter_holds(self):
    self.assertEqual(times([20, 1, 1], 60, 600), [0.0, 1.0, 1.1])

  def test_never_more_than_the_limit(self):
    found = times([30] * 200, None, 600)
    for start in found:
      within = [t for t in found if start <= t < start + 60]
      # A minute's worth, a second's, and one request.
      self.assertLessEqual(30 * len(within), 600 + 10 + 30)

  def test_correction(self):
    give_back = lambda pace: pace.correct(110, 10)  # noqa: E731
    self.assertEqual(
      times([110] * 3, None, 600, act=give_back), [0.0, 0.0, 1.0]
    )

  def test_pause(self):
    self.assertEqual(
      times([1] * 3, act=lambda pace: pace.pause(7)), [0.0, 7.0, 14.0]
    )

  def test_a_shorter_pause_ends_no_longer_one(self):
    def pause(pace):
      pace.pause(7)
      pace.pause(1)

    self.assertEqual(times([1] * 2, act=pause), [0.0, 7.0])

  def test_a_long_wait_is_told_once(self):
    async def main():
      pace = Pace(clock=clock, sleep=clock.sleep)
      pace.pause(9)
      await pace.take(1)
      for _ in range(2):
        pace.pause(10)
        await asyncio.gather(pace.take(1), pace.take(1))
      pace = Pace(6, clock=clock, sleep=clock.sleep)
      await pace.take(1)
      await asyncio.gather(pace.take(1), pace.take(1))

    clock = Clock()
    with self.assertLogs('taiji_jax', 'INFO') as logs:
      asyncio.run(main())
    told = [line.removeprefix('INFO:taiji_jax:') for line in logs.output]
    server = 'nothing is asked for 10 s: the server wants it so'
    self.assertEqual(told[:2], [server] * 2)
    self.assertIn('for 10 s: requests_per_minute or tokens', told[2])
    self.assertLen(told, 3)

  def test_no_limit(self):
    self.assertEqual(times([10**9] * 3), [0.0] * 3)

  def test_backoff(self):
    top = lambda low, high: (low, high)  # noqa: E731
    self.assertEqual(
      [backoff(n, 1.0, 10.0, top) for n in (1, 2, 3, 4, 5, 9999)],
      [(0, 1), (0, 2), (0, 4), (0, 8), (0, 10), (0, 10)],
    )

  @parameterized.parameters(
    (None, None),
    ('', None),
    ('soon', None),
    ('nan', None),
    ('1.5', 1.5),
    ('-3', 0.0),
    ('Wed, 21 Oct 2015 07:28:00 GMT', 0.0),
    ('1e400', None),
    ('Wed, 21 Oct 99999 07:28:00 GMT', None),
    ('Mon, 01 Jan 0001 00:00:00 +2359', 0.0),
  )
  def test_retry_after(self, header, seconds):
    self.assertEqual(retry_after(header), seconds)

  def test_retry_after_a_date(self):
    self.assertGreater(retry_after('Wed, 21 Oct 2315 07:28:00 GMT'), 1e9)


if __name__ == '__main__':
  absltest.main()
