"""Processes forked from one that has imported the large libraries already.

Importing JAX and what stands on it is most of what a small test costs. A server
imports the libraries once, but nothing of ours. A command that begins with
`python()` is forked from it, and is else as one that begins with
`sys.executable`: arguments, environment, folder, streams, the limit on the size
of files, exit status, signals. All forks share one seed of `hash`, so a test
that compares processes starts one of them in the plain way.

  with forks.serving(env):
    subprocess.run((*forks.python(env), '-m', 'experiments.popo'), env=env)
"""

import contextlib
import gc
import importlib
from importlib import metadata
import json
import os
import resource
import runpy
import selectors
import signal
import socket
import struct
import subprocess
import sys
import tempfile

ADDRESS = 'TAIJI_TEST_FORKS'
LIBRARIES = (
  'absl.app',
  'absl.testing.parameterized',
  'array_record.python',
  'chex',
  'flax.linen',
  'gguf',
  'grain',
  'huggingface_hub',
  'jax.experimental.pallas.ops.tpu.splash_attention',
  'jinja2',
  'matplotlib.figure',
  'matplotlib.backends.backend_agg',
  'ml_collections.config_flags',
  'optax',
  'orbax.checkpoint',
  'safetensors.numpy',
  'scipy.special',
  'sentencepiece',
  'tensorboardX',
  'tokenizers',
  'transformers',
)
# The programs of the tests are tiny: compiling them is what costs, and the
# emitter of fused loops more than all else.
QUICK_TO_COMPILE = (
  '--xla_backend_optimization_level=0'
  ' --xla_llvm_disable_expensive_passes=true'
  ' --xla_cpu_parallel_codegen_split_count=1'
)
# XLA ends a process that gives it a flag which it does not know (any more).
# The client that asks for a fork sees no packages and needs no flags.
with contextlib.suppress(metadata.PackageNotFoundError):
  if metadata.version('jaxlib').startswith(('0.10.', '0.11.')):
    QUICK_TO_COMPILE += ' --xla_cpu_use_fusion_emitters=false'
_SIZE = struct.Struct('<q')


def python(env=os.environ):
  """Returns what stands for the interpreter at the start of a command."""
  # There is a socket as soon as the libraries are imported.
  if os.path.exists(env.get(ADDRESS, '')):
    return sys.executable, '-IS', os.path.abspath(__file__), '--run'
  return (sys.executable,)


@contextlib.contextmanager
def serving(env):
  """Starts a server and names it in `env`, where the system can fork so."""
  if not hasattr(os, 'pidfd_open'):
    yield
    return
  with tempfile.TemporaryDirectory() as folder:
    address = os.path.join(folder, 'forks')
    # It ends when its standard input does, thus also if we are killed.
    with subprocess.Popen(
      (sys.executable, os.path.abspath(__file__), address),
      env=env,
      stdin=subprocess.PIPE,
    ) as server:
      env[ADDRESS] = address
      try:
        yield
      finally:
        del env[ADDRESS]
        if not os.path.exists(address):
          server.kill()
        server.stdin.close()


def _run(arguments):
  """Runs a command by the server and ends as it ended."""
  request = {
    'arguments': arguments,
    'env': dict(os.environ),
    'folder': os.getcwd(),
    'file_limit': resource.getrlimit(resource.RLIMIT_FSIZE),
  }
  data = json.dumps(request).encode()
  with socket.socket(socket.AF_UNIX) as server:
    server.connect(os.environ[ADDRESS])
    socket.send_fds(server, [_SIZE.pack(len(data))], [0, 1, 2])
    server.sendall(data)
    for number in (signal.SIGINT, signal.SIGTERM):
      signal.signal(number, lambda n, _: server.send(bytes([n])))
    answer = server.recv(_SIZE.size)
  if not answer:
    sys.exit('The server of forks ended before the process did.')
  code = _SIZE.unpack(answer)[0]
  if code < 0:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if -code != signal.SIGKILL:
      signal.signal(-code, signal.SIG_DFL)
    os.kill(os.getpid(), -code)
  sys.exit(code)


class _Server:
  """Forks for each client that connects, and tells it how the child ended."""

  def __init__(self, address):
    self.listener = socket.socket(socket.AF_UNIX)
    self.listener.bind(f'{address}.new')
    self.listener.listen(64)
    os.rename(f'{address}.new', address)
    self.running = {}  # A client's socket: its child, and a handle on that.
    self.selector = selectors.DefaultSelector()
    self.selector.register(0, selectors.EVENT_READ)
    self.selector.register(self.listener, selectors.EVENT_READ)

  def serve(self):
    """Returns a request, in the child that is to fulfil it."""
    while True:
      for key, _ in self.selector.select():
        if key.fileobj == 0:
          for child, _ in self.running.values():
            os.killpg(child, signal.SIGKILL)
          os._exit(0)
        if key.fileobj is self.listener:
          if request := self.fork():
            return request
        elif key.data in self.running:
          self.pass_on(key.data, from_client=key.fileobj is key.data)

  def fork(self):
    client, _ = self.listener.accept()
    head, streams, *_ = socket.recv_fds(client, _SIZE.size, 3)
    if not streams:  # It was killed before it asked.
      client.close()
      return None
    with client.makefile('rb') as file:
      request = json.loads(file.read(*_SIZE.unpack(head)))
    child = os.fork()
    if not child:
      os.setsid()
      for number, stream in enumerate(streams):
        os.dup2(stream, number)
      for end in (*streams, *(handle for _, handle in self.running.values())):
        os.close(end)
      for end in (client, self.listener, self.selector, *self.running):
        end.close()
      return request
    for stream in streams:
      os.close(stream)
    handle = os.pidfd_open(child)
    self.running[client] = child, handle
    for end in (client, handle):
      self.selector.register(end, selectors.EVENT_READ, client)
    return None

  def pass_on(self, client, from_client):
    """Gives the child a signal, or the client the child's exit status."""
    child, handle = self.running[client]
    if from_client:
      if number := client.recv(1):
        os.kill(child, number[0])
        return
      # A client that was killed takes its process with it.
      with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    with contextlib.suppress(BrokenPipeError):
      client.send(_SIZE.pack(os.waitstatus_to_exitcode(status)))
    del self.running[client]
    for end in (client, handle):
      self.selector.unregister(end)
    os.close(handle)
    client.close()


def _become(request):
  """Makes this process one that was started for the request's command."""
  import jax

  gc.enable()
  resource.setrlimit(resource.RLIMIT_FSIZE, request['file_limit'])
  os.chdir(request['folder'])
  before = dict(os.environ)
  os.environ.clear()
  os.environ.update(request['env'])
  # JAX has read its own when it was imported.
  for name, value in request['env'].items():
    if name.startswith('JAX_') and before.get(name) != value:
      with contextlib.suppress(ValueError):
        value = json.loads(value)
      jax.config.update(name.lower(), value)
  unbuffered = bool(os.environ.get('PYTHONUNBUFFERED'))
  sys.stdout.reconfigure(write_through=unbuffered)


def _main(arguments):
  """Runs what follows the interpreter in a command."""
  what, *rest = arguments
  if what == '-m':
    sys.path[0] = os.getcwd()
    name, *rest = rest
    sys.argv = [name, *rest]
    runpy.run_module(name, run_name='__main__', alter_sys=True)
  elif what == '-c':
    sys.path[0] = ''
    code, *rest = rest
    sys.argv = ['-c', *rest]
    exec(compile(code, '<string>', 'exec'), {'__name__': '__main__'})
  else:
    sys.path[0] = os.path.dirname(os.path.abspath(what))
    sys.argv = [what, *rest]
    runpy.run_path(what, run_name='__main__')


if __name__ == '__main__':
  if sys.argv[1] == '--run':
    _run(sys.argv[2:])
  else:
    for library in LIBRARIES:
      importlib.import_module(library)
    gc.disable()
    gc.freeze()
    asked = _Server(sys.argv[1]).serve()
    _become(asked)
    _main(asked['arguments'])
