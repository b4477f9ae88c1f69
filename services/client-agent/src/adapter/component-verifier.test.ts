import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { isRefusal, parseSha256 } from '@flexlora/core';
import fc from 'fast-check';
import { createComponentVerifier } from './component-verifier.ts';
import type { PlannedComponent } from './plan-download.ts';

/** Components of these sizes over the bytes 0, 1, 2 … */
function planned(sizes: readonly number[]): {
  readonly bytes: Uint8Array;
  readonly components: readonly PlannedComponent[];
} {
  const total = sizes.reduce((sum, size) => sum + size, 0);
  const bytes = Uint8Array.from({ length: total }, (_, index) => index);
  let begin = 0;
  const components = sizes.map((size) => {
    const end = begin + size;
    const sha256 = parseSha256('sha256', createHash('sha256').update(bytes.subarray(begin, end)).digest('hex'));
    assert.ok(!isRefusal(sha256));
    const component = { begin, end, sha256 };
    begin = end;
    return component;
  });
  return { bytes, components };
}

const sizes = fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 6 });
const cuts = fc.array(fc.nat({ max: 120 }), { maxLength: 8 });

/** The pieces of `bytes` from `from`, cut at these places. */
function pieces(bytes: Uint8Array, from: number, at: readonly number[]): readonly Uint8Array[] {
  const places = [
    from,
    ...at.filter((place) => place > from && place < bytes.length).sort((a, b) => a - b),
    bytes.length,
  ];
  return places.slice(1).map((end, index) => bytes.subarray(places[index], end));
}

test('whole components are verified however the bytes are cut and wherever they go on from', () => {
  fc.assert(
    fc.property(sizes, cuts, fc.nat({ max: 5 }), (asked, at, skipped) => {
      const { bytes, components } = planned(asked);
      const from = components[skipped % components.length]!.begin;
      const verifier = createComponentVerifier(components, from);
      assert.equal(verifier.verified(), from);
      for (const piece of pieces(bytes, from, at)) assert.ok(verifier.push(piece));
      assert.equal(verifier.verified(), bytes.length);
    }),
  );
});

test('one wrong byte is found in its component, and what was before it stays verified', () => {
  fc.assert(
    fc.property(sizes, cuts, fc.nat(), (asked, at, where) => {
      const { bytes, components } = planned(asked);
      const wrong = where % bytes.length;
      const broken = Uint8Array.from(bytes);
      broken[wrong]! ^= 0x80;
      const verifier = createComponentVerifier(components, 0);
      const isRight = pieces(broken, 0, at).every((piece) => verifier.push(piece));
      assert.equal(isRight, false);
      assert.equal(verifier.verified(), components.find(({ end }) => end > wrong)!.begin);
    }),
  );
});

test('a part of a component is not verified', () => {
  const { bytes, components } = planned([4, 4]);
  const verifier = createComponentVerifier(components, 0);
  assert.ok(verifier.push(bytes.subarray(0, 7)));
  assert.equal(verifier.verified(), 4);
});
