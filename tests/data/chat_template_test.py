"""Chat templates: what models have is rendered, what means ill is refused."""

import time
from unittest import mock

from absl.testing import absltest, parameterized
import jinja2
import transformers

from taiji_jax.data import chat_budget, chat_template
from taiji_jax.data.chat_bounds import TooMuch
from taiji_jax.data.chat_template import ChatTemplate

MESSAGES = [
  {'role': 'system', 'content': ' Be <brief> & "kind".\n'},
  {'role': 'user', 'content': 'caf\u00e9\n\ntwo'},
  {'role': 'assistant', 'content': '<think>x</think>ok'},
  {'role': 'user', 'content': ''},
]
NAMES = {'bos_token': '<s>', 'eos_token': '</s>'}
_SPEAKERS = """{% set ns = namespace(found=false, last='') %}
{%- for message in messages %}
    {%- if loop.index0 % 2 == 0 and not ns.found %}
        {% set ns.found = true %}
        {% set ns.last = message['content'] | trim %}
    {%- endif %}
    {{- '<|' + message.role + '|>\\n' ~ message['content'].strip() }}
{%- endfor %}
{%- if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}{{ ns.last }}"""


def render(source, messages=MESSAGES):
  return ChatTemplate(source).render(messages, NAMES)


class ChatTemplateTest(parameterized.TestCase):
  @parameterized.parameters(
    _SPEAKERS,
    '{{ bos_token }}{% for m in messages %}{% generation %}{{ m.content }}'
    '{% endgeneration %}{% endfor %}',
    '{{ messages | tojson }}{{ messages[0] | tojson(indent=2) }}',
    '{% macro say(m, end="!") %}{{ m.content|upper ~ end }}{% endmacro %}'
    '{% for m in messages[::-1] %}{{ say(m) }}{{ say(m, end="?") }}'
    '{% endfor %}',
    '{% for m in messages %}{% if m.role == "system" %}{% continue %}'
    '{% endif %}{{ loop.first }}{{ loop.last }}{{ loop.length }}'
    '{{ m.content.split("\\n") }}'
    '{% if loop.index == 3 %}{% break %}{% endif %}{% endfor %}',
    '{% set x %}a{{ bos_token }}{% endset %}{{ x * 3 }}{{ [1, 2] + [3] }}'
    '{{ 7 // 2 + 2 ** 5 - 7 % 4 }}{{ (1, "a") }}{{ {"a": [1]} }}',
    '{{ messages | map(attribute="role") | join(", ") }}'
    '{{ messages | selectattr("role", "equalto", "user") | list | length }}',
    '{{ "a-b".replace("-", "+") }}{{ "aaa" | replace("a", "bb", 2) }}'
    '{{ ",".join(["x", "y"]) }}{{ "%s:%03d" | format("k", 7) }}'
    '{{ "{} {:>4}".format(1, 2) }}{{ "%d" % 3 }}{{ "a\\nb" | indent(2) }}',
    '{% for m in [[1, [2, [3]]]] recursive %}{{ m if m is number else '
    'loop(m) }};{% endfor %}',
    '{% if tools is not defined or tools is none %}none{% endif %}'
    '{% if documents %}x{% endif %}{{ messages[1].missing is defined }}',
    '{{ dict(a=1).items() | list }}{{ range(3) | list }}'
    '{% for k, v in messages[0].items() %}{{ k }}={{ v }};{% endfor %}',
    '{% filter upper %}{{ bos_token }}{% endfilter %}'
    '{% macro wrap() %}<{{ caller() }}>{% endmacro %}'
    '{% call wrap() %}in{% endcall %}',
    '  {% if true %}  \n  a\n  {% endif %}\n b {#- c #}\n',
  )
  def test_as_transformers_renders_it(self, source):
    theirs = transformers.utils.chat_template_utils.render_jinja_template(
      [MESSAGES], chat_template=source, add_generation_prompt=True, **NAMES
    )[0][0]
    self.assertEqual(render(source), theirs)

  @parameterized.parameters(
    # Steps.
    '{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}'
    '{% endfor %}',
    '{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}'
    '{% endmacro %}{{ f(20) }}',
    '{% for a in [60] recursive %}{% if a %}{{ loop([a - 1, a - 1]) }}'
    '{% endif %}{% endfor %}',
    '{% macro w() %}{{ caller() }}{% endmacro %}{% macro f(n) %}{% if n %}'
    '{% call w() %}{{ f(n - 1) }}{{ f(n - 1) }}{% endcall %}{% endif %}'
    '{% endmacro %}{{ f(20) }}',
    # One operation.
    '{{ "x" * 10**9 }}',
    '{{ 10**9 * "x" }}',
    '{{ [0] * 10**9 }}',
    '{{ 10 ** (10 ** 10) }}',
    '{{ 2 ** 1000 * 2 ** 1000 }}',
    '{{ "%1000000000d" % 1 }}',
    '{{ "%*d" % (10**9, 1) }}',
    '{{ "%1000000000d" | format(1) }}',
    '{{ "{:>1000000000}".format(1) }}',
    '{{ "{:>{}}".format(1, 10**9) }}',
    '{{ "x".center(10**9) }}',
    '{{ "x"["ljust"](10**9) }}',
    '{{ "x" | attr("zfill") }}',
    '{{ "x" | center(10**9) }}',
    '{{ "x" | indent(10**9, true) }}',
    '{{ [1] | batch(10**9, 0) | list }}',
    '{{ [1] | tojson(indent=10**9) }}',
    '{{ range(10**9) | list }}',
    '{{ lipsum(n=10**6) }}',
    # A format names one long argument many times, or is wide many times.
    '{% set x = "a" * 1000000 %}{% set f = "{0}" * 1500 %}{{ f.format(x) }}',
    '{% set x = "a" * 1000000 %}{% set f = "{a}" * 1500 %}{{ f.format(a=x) }}',
    '{% set x = "a" * 1000000 %}{% set f = "{0[0]}" * 1500 %}'
    '{{ f.format([x]) }}',
    '{% set x = "a" * 1000000 %}{% set f = "{0}" * 1500 %}'
    '{{ (f | attr("format"))(x) }}',
    '{% set x = "a" * 1000000 %}{% set f = "%(a)s" * 1500 %}{{ f % {"a": x} }}',
    '{% set x = "a" * 1000000 %}{% set f = "%(a)s" * 1500 %}'
    '{{ f | format(a=x) }}',
    '{% set x = "a" * 90000 %}{{ ("%s" * 9) % (x, x, x, x, x, x, x, x, x)'
    ' ~ ("%s" * 99) | format(*([x] * 10)) }}',
    '{% set a = "{0:999}" * 100000 %}{{ a.format("\U0001f600") }}',
    '{% set x = "\U0001f600" * 200000 %}{{ "{!a}".format(x) }}',
    '{% set x = "\U0001f600" * 200000 %}{{ "%a" % x }}',
    '{{ "%s" % namespace(a=1) }}',
    # One operation that takes long.
    '{% set x = "a" * 1000000 %}{{ x.rfind("ab" ~ "a" * 500000) }}',
    '{% set x = "a" * 1000000 %}{{ x.strip("b" * 900000 ~ "a") }}',
    '{% set x = "a" * 1000000 %}{{ x | trim("b" * 900000 ~ "a") }}',
    '{{ ("<!---->" * 100000) | striptags }}',
    '{{ (("<!---->" * 100000) | safe).striptags() }}',
    '{{ 1.5 | round(10**8, "ceil") }}',
    '{{ (1).to_bytes(10**9, "big") }}',
    '{{ true.to_bytes(10**9, "big") }}',
    '{{ strftime_now("%1000000d" * 10000) }}',
    '{% set ns = namespace(x=[]) %}{% for i in range(900) %}'
    '{% set ns.x = [ns.x] %}{% endfor %}'
    '{{ [ns.x, [1] * 9000] | tojson(indent=64) }}'
    '{% for i in range(900) %}{% set ns.x = [ns.x, 1, 2, 3] %}{% endfor %}'
    '{{ ns.x | tojson(indent=64) }}',
    # Without a turn of a loop.
    '{{ ("a" * 1000000) | list | length }}',
    '{{ ("a" * 1000000) | min }}',
    '{{ ("a" * 1000000) | sort | first }}',
    '{{ ("a" * 1000000) | map("upper") | list | length }}',
    '{{ ("a " * 500000) | wordcount }}',
    '{% for a in "a" * 1000000 if 0 %}{% endfor %}',
    '{% for a in range(9999) if 0 recursive %}{% endfor %}' * 20,
    '{% set y = ("a" * 9999) | list %}' + '{{ y | min }}' * 200,
    '{% set y = ("a" * 9999) | list %}' + '{{ (y | sort)[0] }}' * 200,
    '{% set y = range(9999) %}'
    + '{{ y | map("string") | select("in", "x") | list | length }}' * 200,
    '{% set y = "a" * 1000000 %}' + '{{ (y | upper)[0] }}' * 200,
    '{% set y = "a" * 1000000 %}'
    + ''.join(f'{{% set x{i} = y[1:] %}}' for i in range(200)),
    '{% set y = [1] * 9999 %}'
    + ''.join(f'{{% set x{i} = y[1:] %}}' for i in range(200)),
    ''.join(f'{{% set x{i} = [0] * 9999 %}}' for i in range(200)),
    # Step by step.
    '{% set ns = namespace(x="xx") %}{% for i in range(60) %}'
    '{% set ns.x = ns.x + ns.x %}{% endfor %}',
    '{% set ns = namespace(x="xx") %}{% for i in range(60) %}'
    '{% set ns.x = ns.x ~ ns.x %}{% endfor %}',
    '{% set ns = namespace(x="xx") %}{% for i in range(60) %}'
    '{% set ns.x = ns.x.replace("x", "xx") %}{% endfor %}',
    '{% set ns = namespace(x="xx") %}{% for i in range(60) %}'
    '{% set ns.x = ns.x | replace("x", "xx") %}{% endfor %}',
    '{% set ns = namespace(x="xx") %}{% for i in range(60) %}'
    '{% set ns.x = [ns.x, ns.x] | join %}{% endfor %}',
    '{% set ns = namespace(x="xx") %}{% for i in range(60) %}'
    '{% set ns.x = ns.x.join(["", "", ""]) %}{% endfor %}',
    '{% set ns = namespace(x="xx") %}{% for i in range(60) %}'
    '{% set x %}{{ ns.x }}{{ ns.x }}{% endset %}{% set ns.x = x %}{% endfor %}',
    '{% set ns = namespace(x=[0]) %}{% for i in range(60) %}'
    '{% set ns.x = [ns.x, ns.x] %}{% endfor %}',
    '{% set ns = namespace(x=(0,)) %}{% for i in range(60) %}'
    '{% set ns.x = (ns.x, ns.x) %}{% endfor %}',
    '{% set ns = namespace(x={}) %}{% for i in range(60) %}'
    '{% set ns.x = {"a": ns.x, "b": ns.x} %}{% endfor %}',
    '{% set ns = namespace(x={}) %}{% for i in range(60) %}'
    '{% set ns.x = dict(a=ns.x, b=ns.x) %}{% endfor %}',
    '{% set x = "x" * 500000 %}'
    '{{ ([0] * 9999) | map("default", x, true) | map("upper") | list }}',
    # What it writes.
    '{% for a in range(9999) %}{{ "x" * 999 }}{% endfor %}',
    # Out of the sandbox.
    '{{ "".__class__.__mro__ }}',
    '{% set ns = namespace() %}{% set ns.__html__ = 1 %}',
    '{{ namespace(__html__=1) }}',
    '{{ messages.append(1) }}',
  )
  def test_what_means_ill(self, source):
    start = time.monotonic()
    with (
      mock.patch.object(chat_budget, 'MOST_STEPS', 5000),
      self.assertRaises((jinja2.TemplateError, OverflowError)),
    ):
      render(source)
    self.assertLess(time.monotonic() - start, 9)

  def test_the_limits_themselves(self):
    limit = chat_budget.MOST_TEXT
    given = len('[{"role": "u", "content": ""}]')
    most = limit + 4 * given
    messages = [{'role': 'u', 'content': ''}]
    for source in (
      '{{ "x" * %d }}',
      '{%% for i in [1] %%}{{ "x" * %d }}{%% endfor %%}',
    ):
      self.assertLen(render(source % most, messages), most)
      with self.assertRaisesRegex(TooMuch, f'more than {most} letters'):
        render(source % (most + 1), messages)
    steps = (
      '{% for i in range(%d) %}{% for j in range(10) %}{% endfor %}{% endfor %}'
    )
    with mock.patch.object(chat_budget, 'MOST_STEPS', 110):
      self.assertEqual(render(steps.replace('%d', '10')), '')
      with self.assertRaisesRegex(TooMuch, 'more than 110 steps'):
        render(steps.replace('%d', '11'))
    self.assertEqual(render('{{ ([0] * 10000) | length }}'), '10000')
    with self.assertRaisesRegex(TooMuch, 'more than 10000 items'):
      render('{{ [0] * 10001 }}')

  @parameterized.parameters(
    '{% for i in range(9999) %}{{ y in z }}{% endfor %}',
    '{% if y in z %}{% endif %}' * 999,
    '{{ z.count(y) }}' * 999,
  )
  def test_time(self, source):
    made = '{% set y = "b" ~ "a" * 400000 %}{% set z = "a" * 1000000 %}'
    with mock.patch.object(chat_budget, 'MOST_SECONDS', 0.02):
      start = time.monotonic()
      with self.assertRaisesRegex(TooMuch, 'more than 0.02 seconds'):
        render(made + source)
      self.assertLess(time.monotonic() - start, 3)

  def test_what_models_do_with_long_conversations(self):
    source = (
      '{%- set ns = namespace(last=messages|length - 1) %}'
      '{%- for m in messages[::-1] %}'
      '{%- if m.role == "user" and m.content is string and not'
      ' (m.content.startswith("<tool>") and m.content.endswith("</tool>")) %}'
      '{%- set ns.last = loop.index0 %}{%- endif %}{%- endfor %}'
      '{%- for m in messages if m.role != "system" %}'
      '{{ "<|" + m.role + "|>" + m.content.split("</think>")[-1].strip("\\n")'
      ' + (m.content | trim)[:9] }}'
      '{% if loop.last %}{{ m | tojson }}{% endif %}{%- endfor %}'
      '{{ messages | selectattr("role", "eq", "user") | list | length }}'
      '{{ "%s of %(a)d" | replace("%", "") }}{{ "{}".format(9) }}'
    )
    one = {'role': 'user', 'content': 'It is long.\n' * 80}
    long = [one, {'role': 'assistant', 'content': '<think>a</think>b'}] * 300
    theirs = transformers.utils.chat_template_utils.render_jinja_template(
      [long], chat_template=source, add_generation_prompt=True, **NAMES
    )[0][0]
    self.assertEqual(render(source, long), theirs)

  def test_long_messages_are_no_fault(self):
    long = [{'role': 'user', 'content': 'x' * 2_000_000}]
    self.assertLen(render('{{ messages[0].content ~ "!" }}', long), 2_000_001)

  def test_each_rendering_has_bounds_of_its_own(self):
    template = ChatTemplate('{{ "x" * 1000000 }}')
    for _ in range(100):
      self.assertLen(template.render(MESSAGES, NAMES), 1_000_000)

  def test_a_long_template(self):
    self.assertLen(render(' ' * chat_template.MOST_SOURCE), 1 << 18)
    with self.assertRaisesRegex(TooMuch, 'longer than'):
      ChatTemplate(' ' * (chat_template.MOST_SOURCE + 1))

  def test_messages_are_not_changed(self):
    own = [{'role': 'user', 'content': 'a'}]
    with self.assertRaises(jinja2.TemplateError):
      render('{{ messages[0].update(content="b") }}', own)
    self.assertEqual(own, [{'role': 'user', 'content': 'a'}])


if __name__ == '__main__':
  absltest.main()
