import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { percent } from './aggregate-report.ts';

describe('percent', () => {
  it('says the same of all and of all but the rounding: it said 99.9999 % of one of two equal modules', () => {
    for (const share of [1, 1 - 2 ** -53, 1 - 1e-15]) assert.equal(percent(share), '100.0000 %');
  });

  it('says 100 % of nothing else', () => {
    for (const share of [1 - 1e-11, 1 - 1e-9, 0.999999]) assert.equal(percent(share), '99.9999 %');
    assert.equal(percent(0.123456789), '12.3456 %');
    assert.equal(percent(0), '0.0000 %');
  });
});
