import assert from 'node:assert/strict';
import { test } from 'node:test';
import { costAt, fitCostModel } from './cost-model.ts';

const measured = (points: readonly (readonly [rank: number, memoryBytes: number])[]) =>
  fitCostModel(points.map(([rank, memoryBytes]) => ({ rank, memoryBytes, stepSeconds: 0.5 + rank / 100 })));

test('measurements on a line give that line', () => {
  const { memoryBytes, stepSeconds } = measured([
    [4, 1400],
    [8, 1800],
    [32, 4200],
  ]);
  assert.deepEqual(memoryBytes, { at0: 1000, perRank: 100 });
  assert.ok(Math.abs(costAt(stepSeconds, 100) - 1.5) < 1e-12);
});

test('two measurements are enough', () => {
  assert.deepEqual(
    measured([
      [2, 300],
      [6, 700],
    ]).memoryBytes,
    { at0: 100, perRank: 100 },
  );
});

test('one disturbed measurement of five does not move the line', () => {
  const line = measured([
    [4, 1400],
    [8, 1800],
    [16, 2600],
    [32, 99_999],
    [64, 7400],
  ]).memoryBytes;
  assert.deepEqual(line, { at0: 1000, perRank: 100 });
});

test('a larger rank is never predicted to be cheaper', () => {
  const line = measured([
    [4, 2000],
    [8, 1500],
    [16, 1000],
  ]).memoryBytes;
  assert.deepEqual(line, { at0: 1500, perRank: 0 });
});

test('the same rank measured twice tells nothing of the slope', () => {
  assert.deepEqual(
    measured([
      [4, 1400],
      [4, 1400],
      [8, 1800],
    ]).memoryBytes,
    { at0: 1000, perRank: 100 },
  );
});
