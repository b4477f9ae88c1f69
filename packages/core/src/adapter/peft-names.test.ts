import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isRefusal } from '../refusal.ts';
import { parsePeftTensorName, peftTensorName } from './peft-names.ts';

describe('parsePeftTensorName', () => {
  it('is the inverse of peftTensorName, with or without the adapter name', () => {
    for (const module of ['q_proj', 'model.layers.0.self_attn.q_proj', 'h.0.default']) {
      for (const side of ['a', 'b'] as const) {
        const name = peftTensorName(module, side);
        assert.deepEqual(parsePeftTensorName(name), { module, side });
        assert.deepEqual(parsePeftTensorName(name.replace(/\.weight$/, '.default.weight')), { module, side });
      }
    }
  });

  it('refuses everything else by name, and says what to do', () => {
    const rows: readonly [string, RegExp][] = [
      ['base_model.model.a.lora_magnitude_vector', /DoRA/],
      ['base_model.model.a.lora_embedding_A', /embeddings/],
      ['base_model.model.a.lora_A.other.weight', /save_pretrained/],
      ['model.a.lora_A.weight', /save_pretrained/],
      ['base_model.model.score.weight', /modules_to_save/],
      ['base_model.model.a b.lora_A.weight', /module name is "a b"/],
    ];
    for (const [name, words] of rows) {
      const answer = parsePeftTensorName(name);
      assert.ok(isRefusal(answer), name);
      assert.match(answer.message, words);
    }
  });
});
