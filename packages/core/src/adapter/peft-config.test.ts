import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { isRefusal } from '../refusal.ts';
import { type PeftConfig, parsePeftConfig, peftModuleAlpha, peftModuleRank, peftModuleScaling } from './peft-config.ts';
import { encodePeftConfig } from './peft-config-encode.ts';

const minimal = { peft_type: 'LORA', r: 8, lora_alpha: 16, bias: 'none', target_modules: ['q_proj'] };

function parse(fields: Readonly<Record<string, unknown>>): PeftConfig {
  const config = parsePeftConfig(JSON.stringify({ ...minimal, ...fields }));
  assert.ok(!isRefusal(config), isRefusal(config) ? config.message : '');
  return config;
}

describe('parsePeftConfig', () => {
  it('reads rank, alpha and scaling', () => {
    assert.equal(peftModuleScaling(parse({}), 'a.q_proj'), 2);
    assert.equal(peftModuleScaling(parse({ use_rslora: true }), 'a.q_proj'), 16 / Math.sqrt(8));
  });

  it('takes null and absent flags for false', () => {
    const config = parse({ use_rslora: null, fan_in_fan_out: null });
    assert.deepEqual([config.scaling, config.fanInFanOut], ['alphaOverRank', false]);
    assert.ok(parse({ fan_in_fan_out: true }).fanInFanOut);
  });

  it('matches pattern keys as PEFT does', () => {
    // Each row was read off `re.match(rf"(.*\.)?({key})$", name)`.
    const rows: readonly [string, string, boolean][] = [
      ['q_proj', 'model.layers.0.q_proj', true],
      ['q_proj', 'q_proj', true],
      ['q_proj', 'model.layers.0.xq_proj', false],
      ['layers.0.q_proj', 'model.layers.0.q_proj', true],
      ['layers.1.q_proj', 'model.layers.11.q_proj', false],
      ['layers\\.[0-3]\\..*', 'model.layers.2.self_attn.v_proj', true],
      ['layers\\.[0-3]\\..*', 'model.layers.4.self_attn.v_proj', false],
      ['^lm_head', 'lm_head', true],
      ['^lm_head', 'model.lm_head', false],
      ['model.layers', 'model.layers.0.q_proj', false],
      ['q_proj|v_proj', 'model.v_proj', true],
      ['layers\\.\\d{1,2}\\.(?:q|v)_proj', 'm.layers.17.v_proj', true],
      ['(?!vision)[a-z]+\\.[^.]*_proj', 'text.q_proj', true],
      ['(?!vision)[a-z]+\\.[^.]*_proj', 'vision.q_proj', false],
      ['[qv-]+?_proj$', 'a.qv_proj', true],
    ];
    for (const [key, name, matches] of rows) {
      assert.equal(peftModuleRank(parse({ rank_pattern: { [key]: 3 } }), name), matches ? 3 : 8, `${key} on ${name}`);
    }
  });

  it('takes the first key that matches, in the order of the file', () => {
    const config = parse({ alpha_pattern: { 'layers.0.q_proj': 5, q_proj: 7 } });
    assert.equal(peftModuleAlpha(config, 'm.layers.0.q_proj'), 5);
    assert.equal(peftModuleAlpha(config, 'm.layers.1.q_proj'), 7);
    assert.equal(peftModuleAlpha(config, 'm.layers.1.k_proj'), 16);
  });

  it('combines rank_pattern, alpha_pattern and rsLoRA into the scaling of a module', () => {
    const config = parse({ rank_pattern: { q_proj: 4 }, alpha_pattern: { q_proj: 6 }, use_rslora: true });
    assert.equal(peftModuleScaling(config, 'q_proj'), 3);
  });

  const refused: readonly [string, Readonly<Record<string, unknown>>, RegExp][] = [
    ['another method', { peft_type: 'LOHA' }, /peft_type .* is "LOHA"; allowed: "LORA"/],
    ['no rank', { r: undefined }, /^r of adapter_config.json is missing; allowed: an integer from 1/],
    ['rank 0', { r: 0 }, /^r .* is 0/],
    ['no alpha', { lora_alpha: undefined }, /lora_alpha .* is missing; allowed: a number above 0/],
    ['alpha 0', { lora_alpha: 0 }, /lora_alpha .* is 0/],
    ['DoRA', { use_dora: true }, /use_dora .* is true; allowed: off/],
    ['biases', { bias: 'all' }, /bias .* is "all"; allowed: "none"/],
    ['whole modules', { modules_to_save: ['score'] }, /modules_to_save/],
    ['PiSSA', { init_lora_weights: 'pissa_niter_4' }, /changes the base weights/],
    ['rank 0 in a pattern', { rank_pattern: { q_proj: 0 } }, /rank_pattern\["q_proj"\] .* is 0/],
    ['patterns as a list', { alpha_pattern: [1] }, /alpha_pattern .* is \[1\]; allowed: an object/],
    ['a broken expression', { rank_pattern: { '(': 2 } }, /rank_pattern has the key "\("/],
    [
      'a use_rslora of 1, which meant false',
      { use_rslora: 1 },
      /use_rslora .* is 1; allowed: true, false, null or absent/,
    ],
    ['a use_rslora of "true", which meant false', { use_rslora: 'true' }, /use_rslora .* is "true"/],
    ['a fan_in_fan_out of "yes", which meant false', { fan_in_fan_out: 'yes' }, /fan_in_fan_out .* is "yes"/],
    ['a fan_in_fan_out of 0', { fan_in_fan_out: 0 }, /fan_in_fan_out .* is 0/],
    ['targets that are numbers', { target_modules: [1] }, /target_modules/],
  ];
  for (const [what, fields, words] of refused) {
    it(`refuses ${what}`, () => {
      const config = parsePeftConfig(JSON.stringify({ ...minimal, ...fields }));
      assert.ok(isRefusal(config));
      assert.match(config.message, words);
    });
  }

  it('refuses keys that Python reads otherwise than JavaScript, which were taken and matched nothing or too much', () => {
    const keys = [
      'layers\\.[0-9]{,2}\\.q',
      '(.*\\.)?q\\Z',
      '\\Aq',
      'a)|(b',
      '(a)?b\\1',
      '(?<=a)b',
      '(?P<x>q)',
      '(?i)q',
      'q*+',
      'q{',
      '[]a]',
      '[^]q',
      '[\\w-z]',
      '\\x71',
      '\\s',
      'é',
      'q\n',
    ];
    for (const field of ['rank_pattern', 'alpha_pattern']) {
      for (const key of keys) {
        const config = parsePeftConfig(JSON.stringify({ ...minimal, [field]: { [key]: 2 } }));
        assert.ok(isRefusal(config), key);
        assert.match(config.message, /^(rank|alpha)_pattern has the key ".*; allowed: .*: write the names out$/s);
      }
    }
  });

  it('refuses what is not a JSON object', () => {
    for (const text of ['', '{', '[]', 'null']) assert.ok(isRefusal(parsePeftConfig(text)), text);
  });
});

describe('encodePeftConfig', () => {
  const name = fc
    .array(fc.constantFrom('a', 'b', 'q_proj', '0', '1', 'layers'), { minLength: 1, maxLength: 4 })
    .map((parts) => `m${parts.join('.')}`);
  const modules = fc.uniqueArray(
    fc.record({
      name: fc.oneof(
        name,
        name.map((text) => `x.${text}`),
      ),
      rank: fc.integer({ min: 1, max: 5 }),
      alpha: fc.integer({ min: 1, max: 4 }),
    }),
    { selector: (module) => module.name, minLength: 1, maxLength: 12 },
  );
  const scaling = fc.constantFrom('alphaOverRank' as const, 'alphaOverSqrtRank' as const, 'constant' as const);

  it('gives every module its own rank and scaling back, also where one name is the ending of another', () => {
    fc.assert(
      fc.property(modules, scaling, (list, kind) => {
        const text = encodePeftConfig({
          modules: list,
          scaling: kind,
          baseModel: 'base',
          taskType: null,
          fanInFanOut: false,
        });
        const config = parsePeftConfig(text);
        assert.ok(!isRefusal(config));
        for (const { name: module, rank, alpha } of list) {
          assert.equal(peftModuleRank(config, module), rank);
          const expected = { alphaOverRank: alpha / rank, alphaOverSqrtRank: alpha / Math.sqrt(rank), constant: alpha }[
            kind
          ];
          assert.ok(Math.abs(peftModuleScaling(config, module) - expected) <= 1e-12 * expected);
        }
      }),
    );
  });

  it('writes patterns only for modules that differ', () => {
    const list = ['l.0.q', 'l.1.q', 'l.2.q'].map((module, i) => ({ name: module, rank: i === 2 ? 4 : 8, alpha: 16 }));
    const text = encodePeftConfig({
      modules: list,
      scaling: 'alphaOverRank',
      baseModel: null,
      taskType: null,
      fanInFanOut: false,
    });
    const json = JSON.parse(text);
    assert.equal(json.r, 8);
    assert.equal(json.lora_alpha, 16);
    assert.deepEqual(json.rank_pattern, { 'l.2.q': 4 });
    assert.deepEqual(json.alpha_pattern, {});
  });

  it('writes keys that match one name alone where a plain key would match two', () => {
    const list = [
      { name: 'q', rank: 2, alpha: 1 },
      { name: 'x.q', rank: 3, alpha: 1 },
      { name: 'y.q', rank: 3, alpha: 1 },
    ];
    const text = encodePeftConfig({
      modules: list,
      scaling: 'alphaOverRank',
      baseModel: null,
      taskType: null,
      fanInFanOut: false,
    });
    assert.deepEqual(JSON.parse(text).rank_pattern, { '^q': 2 });
  });
});
