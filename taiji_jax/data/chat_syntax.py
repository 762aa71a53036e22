"""A chat template's tree, changed to count its steps and what it makes."""

from collections.abc import Callable
from typing import Any

from jinja2 import ext, nodes, visitor
from jinja2.sandbox import SecurityError


class Measured(visitor.NodeTransformer):
  """A template's tree to one that counts its steps and what it makes."""

  def get_visitor(self, node: nodes.Node) -> Callable[..., Any] | None:
    if isinstance(node, nodes.NSRef):
      check_name(node.attr)
    if isinstance(node, nodes.Concat):
      return lambda one: _call('joined', one, self.generic_visit(one).nodes)
    if isinstance(node, nodes.For | nodes.Macro | nodes.CallBlock):
      return self._with_step
    if isinstance(node, nodes.Compare):
      return lambda one: _call('in_time', one, [self.generic_visit(one)])
    if isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Slice):
      return lambda one: _call('held', one, [self.generic_visit(one)])
    if isinstance(node, nodes.List | nodes.Dict) or (
      isinstance(node, nodes.Tuple) and node.ctx == 'load'
    ):
      return lambda one: _call('held', one, [self.generic_visit(one)])
    return None

  def _with_step(self, node: Any) -> nodes.Node:
    self.generic_visit(node)
    if isinstance(node, nodes.For) and node.test is not None:
      # What is left out takes a turn as well.
      turn = _call('step', node, [])
      node.test = nodes.And(turn, node.test).set_lineno(node.lineno)
    step = nodes.ExprStmt(_call('step', node, []))
    node.body.insert(0, step.set_lineno(node.lineno))
    return node


class Generation(ext.Extension):
  """What transformers marks the model's own words with; here it marks none."""

  tags = {'generation'}

  def parse(self, parser: Any) -> list[nodes.Node]:
    next(parser.stream)
    return parser.parse_statements(('name:endgeneration',), drop_needle=True)


def _call(name: str, node: nodes.Node, args: list[Any]) -> nodes.Call:
  """Returns the call of a method of the environment, in the place of a node."""
  method = nodes.EnvironmentAttribute(name)
  return nodes.Call(method, args, [], None, None).set_lineno(node.lineno)


def check_name(name: Any) -> None:
  """Raises SecurityError where a namespace may not have the name."""
  if str(name).startswith('_'):
    raise SecurityError(f'it sets {name} of a namespace')
