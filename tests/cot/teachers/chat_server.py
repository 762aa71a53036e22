"""A chat-completions server on the loopback that also behaves badly."""

import collections
from collections.abc import Callable, Iterator
import contextlib
import gzip
import http.server
import json
import socket
import threading
import time

from tests.cot.teachers.odd_answers import OddAnswers

KEY = 'sk-Loopback-4f9a71d0c2b86e35'
GOOD = 'They like tools.'
ITEM = 'Item title: Saw; Category L1: Tools'
TEXT = f'<think>{GOOD}</think><answer>{ITEM}</answer>'
PROMPT_TOKENS, COMPLETION_TOKENS = 100, 10


class ChatServer(http.server.ThreadingHTTPServer):
  """Counts what it is asked and what it answers whole, by the request's name.

  Attributes:
    script: (tries of this name so far, body) -> name of a behaviour.
    asked, answered: times by `Idempotency-Key`; answered counts whole answers
      that were handed to the network.
    bodies: of every request.
    most: the most requests under way at a time.
    times: of arrival.
  """

  daemon_threads = True

  def __init__(self, script: Callable[[int, dict], str], port: int = 0):
    super().__init__(('127.0.0.1', port), _Handler)
    self.script = script
    self.asked = collections.Counter()
    self.answered = collections.Counter()
    self.bodies, self.times = [], []
    self.most = self.now = 0
    self.lock = threading.Lock()

  @property
  def url(self) -> str:
    return f'http://127.0.0.1:{self.server_port}/v1'

  def die(self) -> None:
    """Refuses connections from now on; those that are open stay."""
    self.shutdown()
    self.server_close()

  def handle_error(self, request, client_address):
    """A client that was killed is no error of ours."""


@contextlib.contextmanager
def serving(
  script: Callable[[int, dict], str] = lambda tries, body: 'good',
  port: int = 0,
) -> Iterator[ChatServer]:
  server = ChatServer(script, port)
  thread = threading.Thread(target=server.serve_forever, args=(0.01,))
  thread.start()
  try:
    yield server
  finally:
    server.shutdown()
    thread.join()
    server.server_close()


def body_of(text=TEXT, finish='stop', **message):
  return {
    'id': 'a',
    'object': 'chat.completion',
    'created': 0,
    'model': 'm',
    'choices': [
      {
        'index': 0,
        'finish_reason': finish,
        'message': {'role': 'assistant', 'content': text, **message},
      }
    ],
    'usage': {
      'prompt_tokens': PROMPT_TOKENS,
      'completion_tokens': COMPLETION_TOKENS,
      'total_tokens': PROMPT_TOKENS + COMPLETION_TOKENS,
    },
  }


def chunks_of(text=TEXT, finish='stop'):
  pieces = [text[i : i + 7] for i in range(0, len(text), 7)]
  for piece in pieces:
    yield {'choices': [{'index': 0, 'delta': {'content': piece}}]}
  yield {'choices': [{'index': 0, 'delta': {}, 'finish_reason': finish}]}
  yield {'choices': [], 'usage': body_of()['usage']}


class _Handler(OddAnswers, http.server.BaseHTTPRequestHandler):
  protocol_version = 'HTTP/1.1'

  def log_message(self, *_):
    pass

  def do_POST(self):  # noqa: N802
    server = self.server
    size = int(self.headers['Content-Length'])
    body = json.loads(self.rfile.read(size))
    self.name = self.headers['Idempotency-Key']
    with server.lock:
      tries = server.asked[self.name]
      server.asked[self.name] += 1
      server.bodies.append(body)
      server.times.append(time.monotonic())
      server.now += 1
      server.most = max(server.most, server.now)
    try:
      if self.headers['Authorization'] != f'Bearer {KEY}':
        self._fail(401, f'Incorrect key: {self.headers["Authorization"]}')
      elif self.path != '/v1/chat/completions' or body['model'] != 'm':
        self._fail(404, 'no such model')
      else:
        getattr(self, '_' + server.script(tries, body))(body)
    finally:
      with server.lock:
        server.now -= 1

  def _send(self, status, content, **headers):
    self.send_response(status)
    headers = {'Content-Type': 'application/json'} | {
      name.replace('_', '-'): value for name, value in headers.items()
    }
    headers.setdefault('Content-Length', str(len(content)))
    for name, value in headers.items():
      self.send_header(name, value)
    self.end_headers()
    self.wfile.write(content)
    self.wfile.flush()

  def _answer(self, body, **values):
    with self.server.lock:
      self.server.answered[self.name] += 1
    if body.get('stream'):
      return self._stream(chunks_of(**values))
    return self._send(200, json.dumps(body_of(**values)).encode())

  def _whole(self):
    return body_of()

  def _stream(self, chunks, end=b'data: [DONE]\n\n'):
    lines = [b'data: ' + json.dumps(c).encode() + b'\n\n' for c in chunks]
    self.send_response(200)
    self.send_header('Content-Type', 'text/event-stream')
    self.send_header('Connection', 'close')
    self.end_headers()
    self.wfile.write(b''.join(lines) + end)
    self.close_connection = True

  def _fail(self, status, message, code=None, **headers):
    error = {'message': message, 'code': code}
    self._send(status, json.dumps({'error': error}).encode(), **headers)

  def _good(self, body):
    self._answer(body)

  def _slow(self, body):
    time.sleep(0.05)
    self._answer(body)

  def _hang(self, body):
    time.sleep(0.8)
    self.close_connection = True

  def _stall(self, body):
    self._stream(list(chunks_of())[:2], end=b'')
    self.wfile.flush()
    time.sleep(0.8)

  def _busy(self, body):
    self._fail(429, 'slow down', Retry_After='0.1')

  def _later(self, body):
    self._fail(429, 'slow down', Retry_After='0.5')

  def _tomorrow(self, body):
    self._fail(429, 'slow down', Retry_After='86400')

  def _broke(self, body):
    self._fail(429, 'pay', code='insufficient_quota')

  def _error(self, body):
    self._fail(500, 'oops')

  def _long(self, body):
    self._fail(400, 'over the maximum context length of 8 tokens')

  def _refused(self, body):
    self._fail(400, f'unknown field seed; you sent {KEY}')

  def _malformed(self, body):
    self._send(200, b'{"choices": [{"message"')

  def _html(self, body):
    self._send(200, b'<html>hi</html>', Content_Type='text/html')

  def _choiceless(self, body):
    self._send(200, json.dumps({'choices': []}).encode())

  def _strange(self, body):
    self._send(200, b'{"choices": [{"message": {"content": 7}}]}')

  def _short(self, body):
    content = json.dumps(body_of()).encode()
    self._send(200, content[:40], Content_Length=str(len(content)))
    self.close_connection = True

  def _zipped(self, body):
    content = bytearray(gzip.compress(json.dumps(body_of()).encode()))
    content[12:40] = bytes(28)
    self._send(200, bytes(content), Content_Encoding='gzip')

  def _gone(self, body):
    self.connection.shutdown(socket.SHUT_RDWR)
    self.close_connection = True

  def _echo(self, body):
    self._send(200, json.dumps(body_of(f'<think>{KEY}</think>')).encode())

  def _cut(self, body):
    self._stream(list(chunks_of())[:3], end=b'')

  def _torn(self, body):
    self._stream(list(chunks_of())[:3], end=b'data: {"choices": [{"del')

  def _fault(self, body):
    self._stream(list(chunks_of())[:2], end=b'data: {"error": {"a": 1}}\n\n')

  def _empty(self, body):
    self._answer(body, text=' ')

  def _endless(self, body):
    self._answer(body, text='<think>on and on', finish='length')
