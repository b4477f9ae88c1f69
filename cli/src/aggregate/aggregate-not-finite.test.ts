import assert from 'node:assert/strict';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { isRefusal, parseSafetensorsHeader, peftTensorName, type Refusal } from '@flexlora/core';
import { type Kernel, loadKernel } from '@flexlora/kernel';
import { AS_EVER, type Fixture, MIX, q, temporaryDirectory, up, writeFixture } from './adapter-fixture.ts';
import { aggregateAdapters } from './aggregate-adapters.ts';
import type { AggregateOptions } from './aggregate-options.ts';

const NAN = [0, 0, 0xc0, 0x7f];
const MINUS_INFINITY = [0, 0, 0x80, 0xff];

/** Three adapters of rank 4, as every strategy takes them. */
const fixtures: readonly Fixture[] = MIX.map((fixture) => ({
  ...fixture,
  config: { r: 4, lora_alpha: 8 },
  modules: fixture.modules.map((module) => ({ ...module, rank: 4, scaling: 2 })),
}));

async function poison(site: string, tensor: string, index: number, bits: readonly number[]): Promise<void> {
  const path = join(site, 'adapter_model.safetensors');
  const file = await readFile(path);
  const header = parseSafetensorsHeader(file, file.byteLength);
  assert.ok(!isRefusal(header));
  file.set(bits, header.tensors.find(({ name }) => name === tensor)!.begin + 4 * index);
  await writeFile(path, file);
}

interface Attempt {
  readonly kernel: Kernel;
  readonly strategy: AggregateOptions['strategy'];
  readonly samples?: readonly number[];
  readonly adapters?: readonly Fixture[];
}

/** Spoils the adapters, and expects a refusal that leaves nothing behind. */
async function refusalOf(
  test: TestContext,
  { kernel, strategy, samples = [3, 4, 5], adapters = fixtures }: Attempt,
  spoil: (sites: readonly string[]) => Promise<void>,
): Promise<Refusal> {
  const home = await temporaryDirectory(test);
  const sites = await Promise.all(adapters.map((fixture, k) => writeFixture(join(home, `site-${k}`), fixture)));
  await spoil(sites);
  const before = await readdir(home);
  const updates = sites.map((directory, k) => ({ directory, samples: samples[k]! }));
  const out = join(home, 'new', 'out');
  const answer = await aggregateAdapters(
    { updates, rank: 3, alpha: 3, strategy, svdSplit: 'b', ...AS_EVER, out },
    { kernel },
  );
  assert.ok(isRefusal(answer), 'expected a refusal');
  assert.deepEqual(await readdir(home), before);
  return answer;
}

const native = loadKernel({ prefer: 'native' });
const portable = loadKernel({ prefer: 'portable' });
const noNative = native.kernel.name === 'native' ? false : `the native kernel is not built here: ${native.notice}`;
const [firstSummed, lastSummed] = [up, q];

for (const [name, kernel, skip] of [
  ['portable', portable.kernel, false],
  ['native', native.kernel, noNative],
] as const) {
  describe(`a number that is not finite, on the ${name} kernel`, { skip }, () => {
    for (const strategy of ['flexlora', 'fedavg', 'hetlora'] as const) {
      it(`is refused by file, tensor and place in the module summed last, with ${strategy}`, async (test) => {
        const tensor = peftTensorName(lastSummed.name, 'a');
        const { reason, message } = await refusalOf(test, { kernel, strategy }, ([, , site]) =>
          poison(site!, tensor, 2 * q.in + 5, NAN),
        );
        assert.equal(reason, 'notFinite');
        assert.match(
          message,
          new RegExp(
            `site-2/adapter_model\\.safetensors: tensor ${tensor} holds NaN or infinity at index 23 \\(row 2, column 5\\); allowed: finite numbers: .*leave this adapter out$`,
          ),
        );
      });
    }

    it('is refused for the module that is summed first, where several have one', async (test) => {
      const { message } = await refusalOf(test, { kernel, strategy: 'flexlora' }, async ([one, , other]) => {
        await poison(one!, peftTensorName(lastSummed.name, 'b'), 0, NAN);
        await poison(other!, peftTensorName(firstSummed.name, 'b'), 6, MINUS_INFINITY);
      });
      assert.match(message, /site-2\/.*up_proj\.lora_B\.weight holds NaN or infinity at index 6 \(row 1, column 2\)/);
    });

    it('is refused in an adapter without samples, which the kernel never sees', async (test) => {
      const attempt = { kernel, strategy: 'flexlora', samples: [3, 0, 5] } as const;
      const { reason, message } = await refusalOf(test, attempt, ([, site]) =>
        poison(site!, peftTensorName(lastSummed.name, 'b'), 7, MINUS_INFINITY),
      );
      assert.equal(reason, 'notFinite');
      assert.match(message, /site-1\/.*q_proj\.lora_B\.weight holds NaN or infinity at index 7 \(row 1, column 3\)/);
    });

    it('is told as the kernel tells it where every file is finite and their weighted sum is not', async (test) => {
      const loud = fixtures.map((fixture) => ({ ...fixture, config: { r: 4, lora_alpha: 1e300 } }));
      const attempt = { kernel, strategy: 'hetlora', adapters: loud } as const;
      const { reason, message } = await refusalOf(test, attempt, async () => {});
      assert.equal(reason, 'notFinite');
      assert.match(message, /^module "model\.layers\.0\.mlp\.up_proj", term "hetlora", lora_B\[0, 0\] is -?[Ii]nf/);
    });
  });
}
