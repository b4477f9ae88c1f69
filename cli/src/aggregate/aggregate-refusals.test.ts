import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, rename, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import {
  isRefusal,
  parseSafetensorsHeader,
  peftTensorName,
  type RefusalReason,
  readFactorEntries,
} from '@flexlora/core';
import { loadKernel } from '@flexlora/kernel';
import { AS_EVER, bytesOf, type Fixture, MIX, q, temporaryDirectory, up, writeFixture } from './adapter-fixture.ts';
import { aggregateAdapters } from './aggregate-adapters.ts';
import type { AggregateOptions } from './aggregate-options.ts';

const { kernel } = loadKernel({ prefer: 'portable' });

/** Spoils `site-1` of two good adapters, or the request itself. */
interface Spoiled {
  readonly what: string;
  readonly reason: RefusalReason;
  readonly words: RegExp;
  readonly fixture?: Fixture;
  readonly spoil?: (site: string, home: string) => Promise<unknown>;
  readonly options?: Partial<AggregateOptions>;
  readonly samples?: readonly [number, number];
}

const good = MIX[1]!;
const weights = (site: string) => join(site, 'adapter_model.safetensors');
const withConfig = (fields: Readonly<Record<string, unknown>>): Fixture => ({
  ...good,
  config: { ...good.config, ...fields },
});
const withModules = (modules: Fixture['modules']): Fixture => ({ ...good, modules });
const [goodQ, goodUp] = good.modules;

/** Overwrites an element of a tensor with these bytes. */
async function poison(site: string, tensor: string, index: number, bits: readonly number[]): Promise<void> {
  const file = await readFile(weights(site));
  const header = parseSafetensorsHeader(file, file.byteLength);
  assert.ok(!isRefusal(header) && !isRefusal(readFactorEntries(header)));
  file.set(bits, header.tensors.find(({ name }) => name === tensor)!.begin + 4 * index);
  await writeFile(weights(site), file);
}

/** Renames a tensor in the header, at the same length. */
async function renameTensor(site: string, from: string, to: string): Promise<void> {
  assert.equal(from.length, to.length);
  const file = await readFile(weights(site), 'latin1');
  await writeFile(weights(site), file.replace(from, to), 'latin1');
}

const SPOILED: readonly Spoiled[] = [
  {
    what: 'a missing directory',
    reason: 'badFile',
    words: /site-1: there is no such directory/,
    spoil: (site) => rm(site, { recursive: true }),
  },
  {
    what: 'a file for a directory',
    reason: 'badFile',
    words: /site-1: is a file; allowed: a PEFT/,
    spoil: async (site) => {
      await rm(site, { recursive: true });
      await writeFile(site, '');
    },
  },
  {
    what: 'a missing configuration',
    reason: 'badFile',
    words: /site-1: adapter_config\.json is missing/,
    spoil: (site) => rm(join(site, 'adapter_config.json')),
  },
  {
    what: 'missing weights',
    reason: 'badFile',
    words: /site-1: adapter_model\.safetensors is missing; save/,
    spoil: (site) => rm(weights(site)),
  },
  {
    what: 'weights as a pickle',
    reason: 'badFile',
    words: /adapter_model\.bin is a pickle, which is never read/,
    spoil: (site) => rename(weights(site), join(site, 'adapter_model.bin')),
  },
  {
    what: 'a pickle renamed to safetensors',
    reason: 'badFile',
    words: /site-1.*safetensors: this is a PyTorch pickle; only safetensors/,
    spoil: (site) => writeFile(weights(site), Buffer.from('504b030400000808', 'hex')),
  },
  {
    what: 'a truncated file',
    reason: 'badFile',
    words: /site-1.*safetensors: the file has 600 bytes; .* cut off/,
    spoil: (site) => truncate(weights(site), 600),
  },
  {
    what: 'an empty file',
    reason: 'badFile',
    words: /site-1.*safetensors: the file ends after 0 bytes/,
    spoil: (site) => truncate(weights(site), 0),
  },
  {
    what: 'NaN',
    reason: 'notFinite',
    words: new RegExp(`site-1.*safetensors: tensor ${peftTensorName(up.name, 'b')} .* index 5 `),
    spoil: (site) => poison(site, peftTensorName(up.name, 'b'), 5, [0, 0, 0xc0, 0x7f]),
  },
  {
    what: 'infinity in an adapter without samples',
    reason: 'notFinite',
    words: /site-1/,
    samples: [1, 0],
    spoil: (site) => poison(site, peftTensorName(q.name, 'a'), 0, [0, 0, 0x80, 0xff]),
  },
  {
    what: 'a configuration that is not JSON',
    reason: 'badFile',
    words: /site-1.*adapter_config\.json: .*not JSON/,
    spoil: (site) => writeFile(join(site, 'adapter_config.json'), '{'),
  },
  {
    what: 'a missing alpha',
    reason: 'badSpec',
    words: /site-1.*lora_alpha of adapter_config\.json is missing/,
    fixture: withConfig({ lora_alpha: undefined }),
  },
  {
    what: 'rank 0',
    reason: 'badSpec',
    words: /site-1.*: r of adapter_config\.json is 0; allowed: an integer from 1/,
    fixture: withConfig({ r: 0 }),
  },
  { what: 'DoRA', reason: 'badSpec', words: /site-1.*use_dora/, fixture: withConfig({ use_dora: true }) },
  {
    what: 'a rank that the configuration does not say',
    reason: 'rankOutOfRange',
    words: /site-1.*rank of .*q_proj\.lora_A\.weight is 4; adapter_config\.json says 3/,
    fixture: withConfig({ rank_pattern: { q_proj: 3 } }),
  },
  {
    what: 'another base model, by a wider module',
    reason: 'badTensor',
    words: /site-1: .*up_proj is 17 × 10, and 16 × 10 in .*site-0/,
    fixture: withModules([goodQ!, { ...goodUp!, out: 17 }]),
  },
  {
    what: 'a missing module',
    reason: 'badTensor',
    words: /site-1: has no module .*up_proj, which .*site-0 has/,
    fixture: withModules([goodQ!]),
  },
  {
    what: 'a module that no other has',
    reason: 'badTensor',
    words: /site-0: has no module x\.q_proj, which .*site-1 has/,
    fixture: withModules([...good.modules, { ...goodQ!, name: 'x.q_proj' }]),
  },
  {
    what: 'a missing factor',
    reason: 'badTensor',
    words: /site-1.*tensor .*q_proj\.lora_B\.weight is missing/,
    spoil: (site) => renameTensor(site, 'self_attn.q_proj.lora_B', 'self_attn.z_proj.lora_B'),
  },
  {
    what: 'a tensor that is no factor',
    reason: 'badTensor',
    words: /site-1.*lora_C\.weight is not a LoRA factor/,
    spoil: (site) => renameTensor(site, 'q_proj.lora_B', 'q_proj.lora_C'),
  },
  {
    what: 'another storage of the base weight',
    reason: 'badSpec',
    words: /site-1: fan_in_fan_out is true, and false in/,
    fixture: withConfig({ fan_in_fan_out: true }),
  },
  { what: 'samples that are all zero', reason: 'badNumber', words: /samples of 2 adapters sum to 0/, samples: [0, 0] },
  {
    what: 'negative samples',
    reason: 'badNumber',
    words: /site-1: its samples are -1; allowed: an integer from 0/,
    samples: [5, -1],
  },
  {
    what: 'unequal ranks with fedavg',
    reason: 'rankOutOfRange',
    words: /fedavg: rank of .*site-[01] is .*use flexlora/,
    options: { strategy: 'fedavg' },
  },
  ...(['b', 'a', 'even'] as const).flatMap((svdSplit) =>
    // Under `even` each side has the root: 1e-45 and 1e45 still fit.
    (svdSplit === 'even' ? [1e-300, 1e300, 1e308] : [1e-45, 1e45, 1e300, 1e308]).map(
      (alpha): Spoiled => ({
        what: `alpha ${alpha}, which gave factors that f32 does not hold, under the split ${svdSplit}`,
        reason: 'badNumber',
        words: /^module model\.layers\.0\..*: its factors do not fit f32: .*: set alpha nearer to the rank/,
        options: { alpha, svdSplit },
      }),
    ),
  ),
  {
    what: 'a method that a module’s ranks do not allow, before a number is read',
    reason: 'badTensor',
    words: /up_proj": the method stacked takes a sum of ranks below 10; it is 10/,
    options: { method: 'stacked' },
    fixture: MIX[2]!,
  },
];

describe('aggregateAdapters refuses, and writes nothing:', () => {
  for (const { what, reason, words, fixture = good, spoil, options, samples = [3, 4] } of SPOILED) {
    it(what, async (test) => {
      const home = await temporaryDirectory(test);
      const sites = [
        await writeFixture(join(home, 'site-0'), MIX[0]!),
        await writeFixture(join(home, 'site-1'), fixture),
      ];
      await spoil?.(sites[1]!, home);
      const before = await readdir(home);
      const answer = await aggregateAdapters(
        {
          updates: sites.map((directory, k) => ({ directory, samples: samples[k]! })),
          rank: 3,
          alpha: 3,
          strategy: 'flexlora',
          svdSplit: 'b',
          ...AS_EVER,
          out: join(home, 'a', 'b', 'out'),
          ...options,
        },
        { kernel },
      );
      assert.ok(isRefusal(answer), 'expected a refusal');
      assert.match(answer.message, words);
      assert.equal(answer.reason, reason);
      assert.deepEqual(await readdir(home), before);
    });
  }
});

describe('aggregateAdapters and its --out', () => {
  const request = (site: string, out: string) =>
    aggregateAdapters(
      {
        updates: [{ directory: site, samples: 1 }],
        rank: 2,
        alpha: 2,
        strategy: 'flexlora',
        svdSplit: 'b',
        ...AS_EVER,
        out,
      },
      { kernel },
    );

  it('takes an empty directory', async (test) => {
    const home = await temporaryDirectory(test);
    const site = await writeFixture(join(home, 'site'), good);
    await mkdir(join(home, 'out'));
    assert.ok(!isRefusal(await request(site, join(home, 'out'))));
    assert.equal((await bytesOf(join(home, 'out')))?.size, 2);
  });

  it('refuses a directory that holds something, and leaves it as it is', async (test) => {
    const home = await temporaryDirectory(test);
    const site = await writeFixture(join(home, 'site'), good);
    const before = await bytesOf(site);
    const answer = await request(site, site);
    assert.ok(isRefusal(answer));
    assert.match(answer.message, /site: --out holds 2 files or folders; allowed: an absent or empty directory/);
    assert.deepEqual(await bytesOf(site), before);
  });

  it('refuses a place below a file', async (test) => {
    const home = await temporaryDirectory(test);
    const site = await writeFixture(join(home, 'site'), good);
    const answer = await request(site, join(site, 'adapter_config.json', 'out'));
    assert.ok(isRefusal(answer));
    assert.match(answer.message, /is or lies below a file/);
  });

  it('leaves a folder in peace that somebody else wrote into meanwhile', async (test) => {
    const home = await temporaryDirectory(test);
    const site = await writeFixture(join(home, 'site'), good);
    const answer = await aggregateAdapters(
      {
        updates: [{ directory: site, samples: 1 }],
        rank: 2,
        alpha: 2,
        strategy: 'flexlora',
        svdSplit: 'b',
        ...AS_EVER,
        out: join(home, 'new', 'out'),
      },
      {
        kernel: {
          ...kernel,
          beginSum: (request) => ({
            ...kernel.beginSum(request),
            truncate: async () => {
              await writeFile(join(home, 'new', 'neighbour'), '');
              throw new Error('the disk is gone');
            },
          }),
        },
      },
    ).catch((error: Error) => error.message);
    assert.equal(answer, 'the disk is gone');
    assert.deepEqual(await readdir(join(home, 'new')), ['neighbour']);
  });
});
