import type { RefusalReason } from '@flexlora/core';
import { between, type Draw, drawBytes, drawUint64, oneOf } from './draw.ts';
import { type Maker, sendingFile, type Target } from './malformed-upload.ts';
import {
  dataOf,
  drawTensor,
  drawTensors,
  type Entry,
  entriesOf,
  fileOf,
  headerText,
  type Tensor,
  validFile,
} from './tensor-file.ts';

/** Makes a file with a wrong header of the right tensors. */
type Attack = (draw: Draw, tensors: readonly Tensor[], target: Target) => Buffer;

/** The largest header that the platform reads. */
const HEADER_BYTES_MAX = 4n << 20n;
const DEPTH_MAX = 60_000;
const NAMES_OF_OBJECTS = ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'length', ''];

const withDescription = (
  entries: readonly Entry[],
  at: number,
  change: (description: Record<string, unknown>) => Record<string, unknown>,
): Entry[] =>
  entries.map(([name, description], index) => [
    name,
    index === at ? change(description as Record<string, unknown>) : description,
  ]);

/** Changes the description of one tensor, and nothing else. */
const misdescribe =
  (change: (draw: Draw, description: { dtype: string; shape: number[]; data_offsets: number[] }) => object): Attack =>
  (draw, tensors) => {
    const at = between(draw, 0, tensors.length - 1);
    const entries = withDescription(entriesOf(tensors), at, (description) => ({
      ...description,
      ...change(draw, description as never),
    }));
    return fileOf(headerText(entries), dataOf(tensors));
  };

/** Other tensors, of which the header says the truth. */
const retell =
  (change: (draw: Draw, tensors: Tensor[], target: Target) => readonly Tensor[]): Attack =>
  (draw, tensors, target) =>
    validFile(change(draw, [...tensors], target));

function replaced(draw: Draw, tensors: Tensor[], change: (tensor: Tensor) => Tensor): Tensor[] {
  const at = between(draw, 0, tensors.length - 1);
  return tensors.with(at, change(tensors[at]!));
}

const reshape = (change: (draw: Draw, shape: readonly number[]) => readonly number[]): Attack =>
  retell((draw, tensors) => {
    const at = between(draw, 0, tensors.length - 1);
    const { name, dtype, shape } = tensors[at]!;
    return tensors.with(at, drawTensor(draw, name, dtype, change(draw, shape)));
  });

/** JSON that is not written by `JSON.stringify`: deep enough to overflow a stack. */
function nested(draw: Draw): string {
  const depth = between(draw, 1, DEPTH_MAX);
  return draw() < 0.5 ? '['.repeat(depth) + ']'.repeat(depth) : `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`;
}

const HOLE = '"here"';

const nest: Attack = (draw, tensors) => {
  const place = oneOf(draw, ['dtype', 'shape', 'data_offsets', 'tensor', 'metadata', 'whole']);
  const entries = entriesOf(tensors);
  const text =
    place === 'whole'
      ? HOLE
      : place === 'tensor'
        ? headerText([...entries, ['more', 'here']])
        : place === 'metadata'
          ? headerText([['__metadata__', { format: 'here' }], ...entries])
          : headerText(withDescription(entries, 0, (description) => ({ ...description, [place]: 'here' })));
  return fileOf(text.replace(HOLE, nested(draw)), dataOf(tensors));
};

/** A text that is not the JSON of a header, in its place. */
const retext =
  (text: (draw: Draw, right: string) => string | Buffer): Attack =>
  (draw, tensors) =>
    fileOf(text(draw, headerText(entriesOf(tensors))), dataOf(tensors));

/** Another length in front of the right header. */
const remeasure =
  (length: (draw: Draw, right: bigint) => bigint): Attack =>
  (draw, tensors) => {
    const text = headerText(entriesOf(tensors));
    return fileOf(text, dataOf(tensors), length(draw, BigInt(text.length)));
  };

/** Bytes at the front by which another kind of file is known. */
const magic =
  (start: (draw: Draw) => readonly number[]): Attack =>
  (draw, tensors) => {
    const bytes = drawBytes(draw, validFile(tensors).byteLength);
    bytes.set(start(draw));
    return bytes;
  };

const FILE: readonly RefusalReason[] = ['badFile'];
const TENSOR: readonly RefusalReason[] = ['badTensor'];
const ANY: readonly RefusalReason[] = ['badFile', 'badTensor', 'badModule', 'rankOutOfRange', 'tooLarge', 'notFinite'];

const badNumbers = (draw: Draw): unknown =>
  oneOf(draw, [-1, -(2 ** 31), 0.5, 1e300, 2 ** 53, 2 ** 64, '4', null, true, {}, [], [4]]);

const ATTACKS: Readonly<Record<string, readonly [attack: Attack, reasons: readonly RefusalReason[]]>> = {
  'a pickle': [magic((draw) => [0x80, between(draw, 2, 5), ...drawBytes(draw, 6)]), FILE],
  'a zip archive': [magic(() => [0x50, 0x4b, 3, 4]), FILE],
  'a length of 0 or 1': [remeasure((draw) => BigInt(between(draw, 0, 1))), FILE],
  'a length above the limit': [remeasure((draw) => BigInt.asUintN(64, HEADER_BYTES_MAX + 1n + drawUint64(draw))), ANY],
  'a length past the end': [remeasure((draw, right) => right + BigInt(between(draw, 1_000, 1 << 20))), FILE],
  'a length that cuts the header': [remeasure((draw, right) => BigInt(between(draw, 2, Number(right) - 1))), FILE],
  'a length into the data': [remeasure((draw, right) => right + BigInt(between(draw, 1, 40))), ANY],
  'no JSON': [retext((draw, right) => drawBytes(draw, right.length)), FILE],
  'cut JSON': [retext((draw, right) => right.slice(0, between(draw, 2, right.length - 1))), FILE],
  'JSON of another kind': [
    retext((draw) => oneOf(draw, ['[]', '12', '"text"', 'null', 'true', '[{}]', '-1e999'])),
    FILE,
  ],
  'an empty header': [retext(() => '{}'), TENSOR],
  'something before the brace': [retext((draw, right) => oneOf(draw, [' ', '\n', '\t', '\uFEFF']) + right), FILE],
  'JSON in UTF-16': [retext((_draw, right) => Buffer.from(right, 'utf16le')), FILE],
  'bytes that are not UTF-8': [
    (draw, tensors) => {
      const text = Buffer.from(headerText([['__metadata__', { format: 'here' }], ...entriesOf(tensors)]));
      text[text.indexOf('here')] = between(draw, 0x80, 0xff);
      return fileOf(text, dataOf(tensors));
    },
    FILE,
  ],
  'deep nesting': [nest, [...FILE, ...TENSOR]],
  'a key twice': [
    (draw, tensors) => {
      const entries = entriesOf(tensors);
      const again = oneOf(draw, entries);
      return fileOf(headerText([...entries.slice(0, 1), again, ...entries.slice(1), again]), dataOf(tensors));
    },
    FILE,
  ],
  'metadata twice': [
    (_draw, tensors) => {
      const entry: Entry = ['__metadata__', { format: 'pt' }];
      return fileOf(headerText([entry, ...entriesOf(tensors), entry]), dataOf(tensors));
    },
    FILE,
  ],
  'a field of a tensor twice': [
    retext((draw, right) => {
      const field = oneOf(draw, ['"dtype":"I8"', '"shape":[1]', '"data_offsets":[0,1]']);
      return right.replace('{"dtype"', `{${field},"dtype"`);
    }),
    FILE,
  ],
  'a name of every object as a tensor': [
    (draw, tensors) => {
      const entries = entriesOf(tensors);
      const more: Entry = [oneOf(draw, NAMES_OF_OBJECTS), oneOf(draw, entries)[1]];
      return fileOf(headerText([more, ...entries]), dataOf(tensors));
    },
    TENSOR,
  ],
  'an empty tensor with a name of every object': [
    retell((draw, tensors) => [drawTensor(draw, oneOf(draw, NAMES_OF_OBJECTS), 'F32', [0, 2]), ...tensors]),
    TENSOR,
  ],
  'a description in __proto__': [
    (_draw, tensors) => {
      const [[name, description], ...rest] = entriesOf(tensors) as [Entry, ...Entry[]];
      const text = headerText([[name, 'here'], ...rest]);
      return fileOf(text.replace(HOLE, `{"__proto__":${JSON.stringify(description)}}`), dataOf(tensors));
    },
    TENSOR,
  ],
  'a tensor that is no object': [
    (draw, tensors) => {
      const [[name], ...rest] = entriesOf(tensors) as [Entry, ...Entry[]];
      return fileOf(headerText([[name, oneOf(draw, [null, 1, 'F32', [], true])], ...rest]), dataOf(tensors));
    },
    TENSOR,
  ],
  'another dtype': [
    misdescribe((draw) => ({
      dtype: oneOf(draw, [
        'I32',
        'F64',
        'BOOL',
        'U8',
        'F8_E4M3',
        'f32',
        'F',
        '',
        ...NAMES_OF_OBJECTS,
        32,
        null,
        ['F32'],
      ]),
    })),
    TENSOR,
  ],
  'another dtype of the same width': [
    misdescribe((draw, { dtype }) => ({ dtype: oneOf(draw, dtype === 'F32' ? ['I32', 'U32'] : ['I16', 'U16']) })),
    TENSOR,
  ],
  'another shape than its bytes': [
    misdescribe((draw, { shape }) => ({ shape: shape.with(between(draw, 0, 1), between(draw, 11, 99)) })),
    TENSOR,
  ],
  'a shape that is no list of sizes': [
    misdescribe((draw, { shape }) => ({ shape: oneOf(draw, [badNumbers(draw), [shape[0], badNumbers(draw)]]) })),
    TENSOR,
  ],
  'a shape whose bytes overflow': [
    misdescribe((draw) => ({
      shape: Array.from({ length: between(draw, 1, 8) }, () => oneOf(draw, [2 ** 31, 2 ** 32, 2 ** 53 - 1])),
      data_offsets: oneOf(draw, [
        [0, 0],
        [0, 2 ** 53 - 1],
        [2 ** 53 - 1, 2 ** 53 - 1],
      ]),
    })),
    TENSOR,
  ],
  'a shape of too many sides': [misdescribe((_draw, { shape }) => ({ shape: [...shape, 1] })), TENSOR],
  'one side alone': [misdescribe((_draw, { shape }) => ({ shape: [shape[0]! * shape[1]!] })), TENSOR],
  'a very long shape': [misdescribe((draw) => ({ shape: Array(between(draw, 3, 50_000)).fill(1) })), TENSOR],
  'offsets that are no offsets': [
    misdescribe((draw, { data_offsets: [begin, end] }) => ({
      data_offsets: oneOf(draw, [
        badNumbers(draw),
        [begin, badNumbers(draw)],
        [badNumbers(draw), end],
        [end, begin],
        [begin, end, end],
        [begin],
      ]),
    })),
    TENSOR,
  ],
  'offsets that are moved': [
    misdescribe((draw, { data_offsets }) => {
      const by = oneOf(draw, [-8, -2, 2, 4, 1 << 20, 2 ** 40]) * between(draw, 1, 4);
      return { data_offsets: data_offsets.map((offset) => offset + by) };
    }),
    TENSOR,
  ],
  'a hole before the data': [
    (draw, tensors) => {
      const hole = between(draw, 1, 64);
      const moved = entriesOf(tensors).map(([name, description]) => {
        const { data_offsets, ...rest } = description as { data_offsets: number[] };
        return [name, { ...rest, data_offsets: data_offsets.map((offset) => offset + hole) }] as const;
      });
      return fileOf(headerText(moved), Buffer.concat([Buffer.alloc(hole), dataOf(tensors)]));
    },
    TENSOR,
  ],
  'metadata that is not text': [
    (draw, tensors) => {
      const metadata = oneOf(draw, [
        1,
        null,
        [],
        'pt',
        { format: 1 },
        { format: null },
        { a: { b: 'c' } },
        { a: ['b'] },
      ]);
      return fileOf(headerText([['__metadata__', metadata], ...entriesOf(tensors)]), dataOf(tensors));
    },
    FILE,
  ],
  'a missing tensor': [retell((draw, tensors) => tensors.toSpliced(between(draw, 0, tensors.length - 1), 1)), TENSOR],
  'a missing module': [retell((draw, tensors) => tensors.toSpliced(2 * between(draw, 0, 1), 2)), TENSOR],
  'one tensor more': [
    retell((draw, tensors) => {
      const name = oneOf(draw, [
        'lm_head.weight',
        'base_model.model.layers.0.q_proj.lora_magnitude_vector',
        'x',
        'ä\u0000',
      ]);
      return [...tensors, drawTensor(draw, name, 'F32', [2, 2])];
    }),
    TENSOR,
  ],
  'one module more': [
    retell((draw, tensors) => [
      ...tensors,
      drawTensor(draw, 'base_model.model.layers.9.q_proj.lora_A.weight', 'F32', [2, 3]),
      drawTensor(draw, 'base_model.model.layers.9.q_proj.lora_B.weight', 'F32', [3, 2]),
    ]),
    TENSOR,
  ],
  'a factor under two names': [
    retell((_draw, tensors) => [
      ...tensors,
      { ...tensors[0]!, name: tensors[0]!.name.replace('.weight', '.default.weight') },
    ]),
    TENSOR,
  ],
  'another name': [
    retell((draw, tensors) =>
      replaced(draw, tensors, (tensor) => {
        const at = between(draw, 0, tensor.name.length - 1);
        return {
          ...tensor,
          name: `${tensor.name.slice(0, at)}${oneOf(draw, ['~', ' ', '/', '\0', '😀', '\ud800'])}${tensor.name.slice(at)}`,
        };
      }),
    ),
    [...TENSOR, 'badModule'],
  ],
  'a name of many characters': [
    retell((draw, tensors) =>
      replaced(draw, tensors, (tensor) => ({
        ...tensor,
        name: `base_model.model.${'x'.repeat(between(draw, 257, 20_000))}.lora_A.weight`,
      })),
    ),
    [...TENSOR, 'badModule'],
  ],
  'the sides exchanged': [reshape((_draw, [rows, cols]) => [cols!, rows!]), [...TENSOR, 'rankOutOfRange']],
  'a side of 0': [reshape((draw, shape) => shape.with(between(draw, 0, 1), 0)), TENSOR],
  'a side more or less': [
    reshape((draw, shape) => {
      const side = between(draw, 0, 1);
      return shape.with(side, Math.max(0, shape[side]! + oneOf(draw, [-1, 1, 2])));
    }),
    TENSOR,
  ],
  'another rank': [
    retell((draw, tensors, { ranks }) => {
      const rank = oneOf(
        draw,
        [1, 2, 3, 5, 6].filter((other) => !Object.values(ranks).includes(other)),
      );
      return tensors.map(({ name, dtype, shape }) =>
        drawTensor(draw, name, dtype, name.includes('lora_A') ? [rank, shape[1]!] : [shape[0]!, rank]),
      );
    }),
    // Or by its size, before a byte is sent.
    ['rankOutOfRange', 'badFile'],
  ],
};

/** Every attack is as likely. */
export const malformedHeader: Maker = (draw, target) => {
  const [name, [attack, reasons]] = oneOf(draw, Object.entries(ATTACKS));
  const file = attack(draw, drawTensors(draw, target.spec, target.ranks), target);
  return {
    ...sendingFile(draw, target, file),
    what: `header: ${name}`,
    // A file that became shorter or longer than any right one is refused by its size.
    reasons: [...reasons, 'badFile', 'tooLarge'],
  };
};
