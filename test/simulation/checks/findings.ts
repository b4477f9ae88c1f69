/** What a simulated run showed that must never be, as sentences. The run ends with the first. */
export interface Findings {
  broken(sentence: string): void;
  readonly all: readonly string[];
}

export function createFindings(): Findings {
  const all: string[] = [];
  return { all, broken: (sentence) => void all.push(sentence) };
}
