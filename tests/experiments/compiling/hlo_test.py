from absl.testing import absltest

from experiments.compiling import hlo

# In the form that the TPU compiler prints: a scan of 3 turns whose body holds a
# gather in two fusions (one channel), a reduction fused with a slice, and a
# loop without a known end.
_TEXT = """
HloModule step, is_scheduled=true

%add (x: f32[], y: f32[]) -> f32[] {
  %x = f32[]{:T(128)} parameter(0)
  %y = f32[]{:T(128)} parameter(1)
  ROOT %sum = f32[]{:T(128)} add(%x, %y)
}

%async_collective_fusion.1 (p: bf16[2,64]) -> bf16[8,64] {
  %p = bf16[2,64]{1,0:T(8,128)(2,1)} parameter(0)
  ROOT %all-gather.1 = bf16[8,64]{1,0:T(8,128)(2,1)S(1)} all-gather(%p), \
channel_id=7, replica_groups=[2,4]<=[8], dimensions={0}
}

%async_collective_fusion.2 (p.2: bf16[2,64]) -> bf16[8,64] {
  %p.2 = bf16[2,64]{1,0:T(8,128)(2,1)} parameter(0)
  ROOT %all-gather.2 = bf16[8,64]{1,0:T(8,128)(2,1)S(1)} all-gather(%p.2), \
channel_id=7, replica_groups=[2,4]<=[8], dimensions={0}
}

%all-reduce-scatter.3 (p.3: f32[16,4]) -> f32[4,4] {
  %p.3 = f32[16,4]{1,0:T(8,128)} parameter(0)
  %all-reduce.3 = f32[16,4]{1,0:T(8,128)} all-reduce(%p.3), channel_id=8, \
replica_groups={{0,1,2,3},{4,5,6,7}}, to_apply=%add
  ROOT %slice = f32[4,4]{1,0:T(8,128)} slice(%all-reduce.3), slice={[0:4]}
}

%condition (c: (s32[], f32[16,4])) -> pred[] {
  %end = s32[]{:T(128)} constant(3)
  %c = (s32[]{:T(128)}, f32[16,4]{1,0:T(8,128)}) parameter(0)
  %i = s32[]{:T(128)} get-tuple-element(%c), index=0
  ROOT %less = pred[]{:T(512)} compare(%i, %end), direction=LT
}

%body (b: (s32[], f32[16,4])) -> (s32[], f32[16,4]) {
  %b = (s32[]{:T(128)}, f32[16,4]{1,0:T(8,128)}) parameter(0)
  %f.1 = bf16[8,64]{1,0:T(8,128)} fusion(%b), kind=kCustom, \
calls=%async_collective_fusion.1
  %f.2 = bf16[8,64]{1,0:T(8,128)} fusion(%f.1), kind=kCustom, \
calls=%async_collective_fusion.2
  %f.3 = f32[4,4]{1,0:T(8,128)} fusion(%f.2), kind=kCustom, \
calls=%all-reduce-scatter.3
  ROOT %next = (s32[]{:T(128)}, f32[16,4]{1,0:T(8,128)}) tuple(%f.3)
}

%open_condition (o: (pred[], f32[])) -> pred[] {
  %o = (pred[]{:T(512)}, f32[]{:T(128)}) parameter(0)
  ROOT %going = pred[]{:T(512)} get-tuple-element(%o), index=0
}

%open_body (q: (pred[], f32[])) -> (pred[], f32[]) {
  %q = (pred[]{:T(512)}, f32[]{:T(128)}) parameter(0)
  %q.1 = f32[]{:T(128)} get-tuple-element(%q), index=1
  %all-reduce.4 = f32[]{:T(128)} all-reduce(%q.1), channel_id=9, \
replica_groups=mesh['axis_0'=2,'axis_1'=4] {'axis_0'}, to_apply=%add
  ROOT %next.2 = (pred[]{:T(512)}, f32[]{:T(128)}) tuple(%q, %all-reduce.4)
}

ENTRY %main (a: f32[16,4]) -> f32[16,4] {
  %a = f32[16,4]{1,0:T(8,128)} parameter(0)
  %loop = (s32[]{:T(128)}, f32[16,4]{1,0:T(8,128)}) while(%a), \
condition=%condition, body=%body
  %open = (pred[]{:T(512)}, f32[]{:T(128)}) while(%loop), \
condition=%open_condition, body=%open_body
  %collective-permute-start.5 = (s32[16]{0:T(128)}, s32[16]{0:T(128)}, \
u32[]{:S(2)}, u32[]{:S(2)}) collective-permute-start(%a), channel_id=10, \
source_target_pairs={{0,4},{4,0}}
  %collective-permute-done.5 = s32[16]{0:T(128)} \
collective-permute-done(%collective-permute-start.5)
  ROOT %out = f32[16,4]{1,0:T(8,128)} get-tuple-element(%open), index=1
}
"""


class HloTest(absltest.TestCase):
  def test_collectives(self):
    found = hlo.collectives(_TEXT, turns=5)
    self.assertEqual(
      found,
      {
        # 3 turns x 8 x 64 x 2 bytes; 3 of 4 parts are sent.
        'all-gather': hlo.Collective(3, 3072, 2304, 0),
        # 5 turns x 4 bytes; twice 1 of 2 parts.
        'all-reduce': hlo.Collective(5, 20, 20, 0),
        # 3 turns x 16 x 4 x 4 bytes; 3 of 4 parts.
        'reduce-scatter': hlo.Collective(3, 768, 576, 0),
        # 16 x 4 bytes, all sent.
        'collective-permute': hlo.Collective(1, 64, 64, 0),
      },
    )

  def test_what_goes_over_the_network(self):
    # Slices of 4: only axis_0 and the pair (0, 4) cross the border.
    found = hlo.collectives(_TEXT, turns=5, slice_devices=4)
    self.assertEqual(
      {kind: c.network for kind, c in found.items()},
      {
        'all-gather': 0,
        'all-reduce': 20,
        'reduce-scatter': 0,
        'collective-permute': 64,
      },
    )

  def test_groups(self):
    for text, expected in (
      ('replica_groups={{0,2},{1,3}}', [0, 2]),
      ('replica_groups=[2,2]<=[4]', [0, 1]),
      ('replica_groups=[2,2]<=[2,2]T(1,0)', [0, 2]),
      ("replica_groups=mesh['a'=2,'b'=2] {'a'}", [0, 2]),
      ("replica_groups=mesh['a'=2,'b'=2] {'a','b'}", [0, 1, 2, 3]),
      ("replica_groups=mesh['a'=4,'b'=2], device_ids=([2,4]T(1,0)) {'a'}",
       [0, 1, 2, 3]),
    ):  # fmt: skip
      with self.subTest(text):
        line = f'f32[4]{{0}} all-reduce(%x), {text}, to_apply=%add'
        body = f'ENTRY %main (x: f32[4]) -> f32[4] {{\n  %y = {line}\n}}\n'
        (found,) = hlo.collectives(body).values()
        share = 2 * (len(expected) - 1) / len(expected)
        self.assertEqual(found.wire, 16 * share)
        # In slices of one device every group of several crosses a border.
        apart = hlo.collectives(body, slice_devices=max(expected) + 1)
        self.assertEqual(apart['all-reduce'].network, 0)

  def test_what_goes_to_other_slices(self):
    text = """
ENTRY %main (p: f32[32,8]) -> f32[32,8] {
  %p = f32[32,8]{1,0:T(8,128)} parameter(0)
  %send = (f32[32,8]{1,0:T(8,128)}, u32[], token[]) send(%p, %after), \
channel_id=3, is_host_transfer=true, \
frontend_attributes={_xla_megascale_target="{1,2}x{0:3}",\
_xla_megascale_transfer_type="ALL_REDUCE"}
}
"""
    # 32 x 8 float32 = 1,024 bytes; two slices exchange halves both ways.
    found = hlo.collectives(text, slice_devices=4)['across-slices']
    self.assertEqual(found.bytes, 1024)
    self.assertEqual(found.wire, 1024)
    self.assertEqual(found.network, 1024)


if __name__ == '__main__':
  absltest.main()
