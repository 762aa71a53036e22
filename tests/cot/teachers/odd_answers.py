"""Answers of a server that is broken or means ill; of `chat_server`."""

import gzip
import json

HUGE = 10**400
ABSURD = 10**12
MEGABYTES = 8
DRIPS_BYTES = 1_000_000
STATUS, STATUS_SAYS = 500, 'no'


class OddAnswers:
  """Behaviours of a handler that has `_send` and `_answer`."""

  def _deep(self, body):
    self._send(200, b'{"choices": ' + b'[' * 5_000)

  def _deep_chunk(self, body):
    self.send_response(200)
    self.send_header('Content-Type', 'text/event-stream')
    self.send_header('Connection', 'close')
    self.end_headers()
    self.wfile.write(b'data: {"choices": ' + b'[' * 5_000 + b'\n\n')
    self.close_connection = True

  def _huge_usage(self, body):
    self._odd(body, lambda whole: whole['usage'].update(prompt_tokens=HUGE))

  def _absurd_usage(self, body):
    self._odd(body, lambda whole: whole['usage'].update(prompt_tokens=ABSURD))

  def _surrogate(self, body):
    def change(whole):
      whole['choices'][0]['message']['content'] = '<think>Ah \ud800.</think>'

    self._odd(body, change)

  def _zeros(self, body):
    self._logprob(body, bytes=10**8)

  def _endless_logprob(self, body):
    self._logprob(body, logprob=HUGE)

  def _no_logprob(self, body):
    self._logprob(body, logprob=float('nan'))

  def _much(self, body):
    self._send(200, b' ' * (MEGABYTES << 20))

  def _much_text(self, body):
    def change(whole):
      whole['choices'][0]['message']['content'] += 'x' * 100_000

    self._odd(body, change)

  def _bomb(self, body):
    content = gzip.compress(b' ' * (MEGABYTES << 20), 1)
    self._send(200, content, Content_Encoding='gzip')

  def _bomb_of_an_error(self, body):
    content = gzip.compress(b' ' * (MEGABYTES << 20), 1)
    self._send(500, content, Content_Encoding='gzip')

  def _flood(self, body):
    self._send(200, b'{"choices": [' + b'{},' * 300_000 + b'{}]}')

  def _drip(self, body):
    piece = b'data: {' + b' ' * 90 + b'}\n\n'
    content = gzip.compress(piece * (DRIPS_BYTES // len(piece)), 1)
    self._send(
      200, content, Content_Encoding='gzip', Content_Type='text/event-stream'
    )

  def _punycode(self, body):
    content = gzip.compress(b'a' * 500_000, 1)
    self._send(
      429,
      content,
      Content_Encoding='gzip',
      Content_Type='text/plain; charset=punycode',
    )

  def _cut_zip(self, body):
    content = gzip.compress(json.dumps(self._whole()).encode())
    self._send(200, content[:-12], Content_Encoding='gzip')

  def _other_encoding(self, body):
    self._send(200, b'abc', Content_Encoding='br')

  def _other_letters(self, body):
    content = json.dumps(self._whole()).encode()
    self._send(500, content, Content_Type='application/json; charset=zip')

  def _well_zipped(self, body):
    with self.server.lock:
      self.server.answered[self.name] += 1
    content = gzip.compress(json.dumps(self._whole()).encode())
    self._send(200, content, Content_Encoding='gzip')

  def _never(self, body):
    self._fail(429, 'slow down', Retry_After='1e18')

  def _failing(self, body):
    self._fail(STATUS, 'not now')

  def _quoting(self, body):
    """Repeats a field of the request, for a status of its own."""
    said = f"{STATUS_SAYS} {{'token': '{body['who']['token']}'}}"
    self._fail(STATUS, said)

  def _quoting_plainly(self, body):
    said = f'{STATUS_SAYS} {body["who"]["token"].upper()}'
    self._send(STATUS, said.encode(), Content_Type='text/plain')

  def _quoting_answer(self, body):
    self._odd(body, lambda whole: self._says(whole, body['who']['token']))

  def _quoting_address(self, body):
    self._send(307, b'', Location=f'http://{body["who"]["token"]}.test/')

  def _says(self, whole, text):
    whole['choices'][0]['message']['content'] = f'no tags {text}'

  def _large(self, body):
    self._fail(413, 'too large')

  def _moved(self, body):
    self._send(307, b'', Location='/v1/chat/completions')

  def _elsewhere(self, body):
    port = self.server.server_port
    there = f'http://localhost:{port}/v1/chat/completions'
    self._send(307, b'', Location=there)

  def _logprob(self, body, **values):
    token = {'token': 'a', 'bytes': None, 'logprob': -1.0} | values

    def change(whole):
      whole['choices'][0]['logprobs'] = {'content': [token]}

    self._odd(body, change)

  def _odd(self, body, change):
    with self.server.lock:
      self.server.answered[self.name] += 1
    whole = self._whole()
    change(whole)
    self._send(200, json.dumps(whole).encode())
