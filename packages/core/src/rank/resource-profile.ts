/** What one training step costs at one rank, as the trainer's probe measured it. */
export interface ProbeMeasurement {
  readonly rank: number;
  /** Peak memory of a step. */
  readonly memoryBytes: number;
  readonly stepSeconds: number;
}

/** What an agent has, as it reports it. */
export interface ResourceProfile {
  /** Memory that training may use. */
  readonly memoryBytesMax: number;
  /** At least two different ranks; the cost model is fitted to them. */
  readonly measurements: readonly ProbeMeasurement[];
  readonly uplinkBytesPerSecond: number;
  /** Training samples that the agent holds. */
  readonly samples: number;
}
