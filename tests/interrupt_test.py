import signal
import threading

from absl.testing import absltest, parameterized

from taiji_jax import interrupt

NUMBERS = (signal.SIGINT, signal.SIGTERM)


class DeferredTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    for number in NUMBERS:
      before = signal.signal(number, self.note)
      self.addCleanup(signal.signal, number, before)
    self.came = []

  def note(self, number, frame):
    del frame
    self.came.append(number)

  @parameterized.parameters(*NUMBERS)
  def test_the_first_only_sets_the_flag(self, number):
    with interrupt.deferred() as flag:
      self.assertFalse(flag)
      signal.raise_signal(number)
      self.assertTrue(flag)
    self.assertEqual(flag.signal_number, number)
    self.assertEqual(self.came, [])

  @parameterized.product(first=NUMBERS, second=NUMBERS)
  def test_the_second_acts_at_once(self, first, second):
    with interrupt.deferred():
      signal.raise_signal(first)
      signal.raise_signal(second)
      self.assertEqual(self.came, [second])

  def test_handlers_are_put_back_also_after_an_error(self):
    with self.assertRaises(KeyError), interrupt.deferred():
      raise KeyError
    for number in NUMBERS:
      self.assertEqual(signal.getsignal(number), self.note)

  def test_within_another_it_is_the_same(self):
    with interrupt.deferred() as flag, interrupt.deferred() as inner:
      self.assertIs(inner, flag)
      signal.raise_signal(signal.SIGTERM)
      self.assertTrue(flag)
      signal.raise_signal(signal.SIGTERM)
    self.assertEqual(self.came, [signal.SIGTERM])
    with interrupt.deferred() as another:
      self.assertFalse(another)

  def test_in_another_thread_it_does_nothing(self):
    seen = []

    def work():
      with interrupt.deferred() as flag:
        seen.append(bool(flag))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    self.assertEqual(seen, [False])


if __name__ == '__main__':
  absltest.main()
