/** One participant of the demonstration: a language, and the resources from which its rank follows. */
export interface Participant {
  readonly agentId: string;
  readonly language: string;
  /** Memory that training may use, in bytes. */
  readonly memoryBytesMax: number;
}

const MIB = 2 ** 20;

/**
 * Thirteen sites from a laptop to a workstation: what each lends to training. The rank follows from the trainer's own probe under this
 * limit; nothing here names a rank.
 */
const SITES: readonly (readonly [language: string, memoryMib: number])[] = [
  ['cs', 16],
  ['de', 64],
  ['es', 24],
  ['fr', 32],
  ['it', 16],
  ['ja', 64],
  ['ko', 24],
  ['pl', 20],
  ['pt-br', 32],
  ['ru', 48],
  ['tr', 18],
  ['zh-cn', 48],
  ['zh-tw', 20],
];

export const PARTICIPANTS: readonly Participant[] = SITES.map(([language, memoryMib]) => ({
  agentId: `site-${language}`,
  language,
  memoryBytesMax: memoryMib * MIB,
}));
