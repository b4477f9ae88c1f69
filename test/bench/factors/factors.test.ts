import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { CLIENT_MIXES, HEAVY_TAIL, rankSumOf, ranksOf } from './client-mix.ts';
import { createFactorMaker } from './factor-maker.ts';
import { createGaussians } from './gaussians.ts';

const COUNT = 1 << 18;
const drawn = (...seed: readonly number[]) => {
  const values = new Float32Array(COUNT);
  createGaussians(...seed).fill(values, 2);
  return values;
};
const mean = (values: Iterable<number>) => {
  let sum = 0;
  for (const value of values) sum += value;
  return sum / COUNT;
};
/** Four standard errors of a mean of this many products of unit variance. */
const CLOSE = 4 / Math.sqrt(COUNT);

describe('made factors', () => {
  it('have the mean, the variance and the fourth moment of a normal distribution', () => {
    const unit = drawn(1).map((value) => value / 2);
    assert.ok(Math.abs(mean(unit)) < CLOSE);
    assert.ok(Math.abs(mean(unit.map((value) => value ** 2)) - 1) < CLOSE * Math.SQRT2);
    assert.ok(Math.abs(mean(unit.map((value) => value ** 4)) - 3) < CLOSE * Math.sqrt(96) + 0.1);
  });

  it('do not correlate between seeds, nor between neighbours', () => {
    const one = drawn(1, 2).map((value) => value / 2);
    const product = (other: Float32Array) => mean(one.map((value, i) => (value * other[i]!) / 2));
    for (const seed of [
      [1, 3],
      [2, 1],
      [1, 2, 0],
      [1, -1],
    ])
      assert.ok(Math.abs(product(drawn(...seed))) < CLOSE, `${seed}`);
    const shifted = drawn(1, 2);
    shifted.copyWithin(0, 1);
    assert.ok(Math.abs(product(shifted)) < CLOSE);
    assert.deepEqual(drawn(1, 2), drawn(1, 2));
  });

  it('fill an odd length to its end', () => {
    const values = new Float32Array(5);
    createGaussians(7).fill(values, 1);
    assert.ok(values.every((value) => value !== 0));
  });

  it('share a part where the spectrum decays, and nothing where it is flat', () => {
    const similarity = (spectrum: 'decay' | 'flat') => {
      const maker = createFactorMaker(600, 500, spectrum, 1);
      const [one, other] = [maker.make(1, 4), maker.make(2, 4)];
      let [product, squares] = [0, 0];
      for (const [i, value] of one.a.entries()) {
        product += value * other.a[i]!;
        squares += value * value;
      }
      return product / squares;
    };
    assert.ok(similarity('decay') > 0.95);
    assert.ok(Math.abs(similarity('flat')) < 4 / Math.sqrt(2000));
    const maker = createFactorMaker(6, 5, 'decay', 1);
    assert.deepEqual(maker.make(3, 8), createFactorMaker(6, 5, 'decay', 1).make(3, 8));
    assert.notDeepEqual(maker.make(3, 8), createFactorMaker(6, 5, 'decay', 2).make(3, 8));
  });

  it('come from mixes whose sums of ranks are those that are documented', () => {
    assert.deepEqual(CLIENT_MIXES.map(rankSumOf), [72, 360, 1466, 4736, 6226, 33238]);
    assert.equal(HEAVY_TAIL.reduce((sum, rank) => sum + rank, 0) / HEAVY_TAIL.length, 29.4);
    assert.deepEqual(ranksOf({ name: 'x', clients: 5, cycle: [4, 8] }), [4, 8, 4, 8, 4]);
  });
});
