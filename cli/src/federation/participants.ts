/** One participant of the demonstration: a language, and the resources from which its rank follows. */
export interface Participant {
  readonly agentId: string;
  readonly language: string;
  /** Memory that training may use, in bytes. */
  readonly memoryBytesMax: number;
}

const MIB = 2 ** 20;

/**
 * Thirteen sites: what each lends to training. The rank follows from the trainer's own probe under this limit; nothing here names a rank. The
 * small model with its activations takes about 15 MiB and every rank about an eighth more, so that sites differ in what is left for the adapter.
 */
const SITES: readonly (readonly [language: string, memoryMib: number])[] = [
  ['cs', 15.25],
  ['de', 24],
  ['es', 17],
  ['fr', 17.5],
  ['it', 15.5],
  ['ja', 32],
  ['ko', 16],
  ['pl', 16],
  ['pt-br', 15.5],
  ['ru', 20],
  ['tr', 15.25],
  ['zh-cn', 17.5],
  ['zh-tw', 16.25],
];

export const PARTICIPANTS: readonly Participant[] = SITES.map(([language, memoryMib]) => ({
  agentId: `site-${language}`,
  language,
  memoryBytesMax: memoryMib * MIB,
}));
