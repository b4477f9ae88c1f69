import type { ModuleResult } from '@flexlora/core';
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

/** What the aggregator tells Prometheus. Labels are of closed sets: never a run, a round or a module. */
export interface AggregatorMetrics {
  taskBegan(): void;
  taskEnded(outcome: TaskOutcome): void;
  stageTook(stage: TaskStage, seconds: number): void;
  summed(result: ModuleResult): void;
}

/**
 * `refused`: the input can never work. `failed`: the work failed, somebody tries again. `lost`: the lease. `handedBack`: the object store is
 * away, or the process stops.
 */
export type TaskOutcome = 'completed' | 'refused' | 'failed' | 'lost' | 'handedBack';
export type TaskStage = 'pull' | 'sum' | 'put';

/** From a toy's module to the widest one of a large cohort. */
const STAGE_SECONDS_BUCKETS = [0.005, 0.025, 0.1, 0.5, 2.5, 10, 60, 300];
/** Shares of ‖W‖²: from f32's rounding to a rank that is too small. */
const SHARE_BUCKETS = [1e-12, 1e-9, 1e-6, 1e-4, 1e-3, 0.01, 0.05, 0.1, 0.25, 0.5, 1];

export function createAggregatorMetrics(registry: Registry): AggregatorMetrics {
  const registers = [registry];
  const running = new Gauge({ name: 'flexlora_aggregation_tasks_running', help: 'Tasks under way.', registers });
  const tasks = new Counter({
    name: 'flexlora_aggregation_tasks_total',
    help: 'Tasks that ended, by outcome.',
    labelNames: ['outcome'],
    registers,
  });
  const seconds = new Histogram({
    name: 'flexlora_aggregation_stage_seconds',
    help: 'Time of one step of a task: waiting for factors, summing and truncating one module, putting the object.',
    labelNames: ['stage'],
    buckets: STAGE_SECONDS_BUCKETS,
    registers,
  });
  const dropped = new Histogram({
    name: 'flexlora_aggregation_energy_dropped_ratio',
    help: 'Share of the squared norm of a sum that its truncation drops, by module.',
    buckets: SHARE_BUCKETS,
    registers,
  });
  const sums = new Counter({
    name: 'flexlora_aggregation_sums_total',
    help: 'Sums of one module, by the method that was planned and the one that gave the answer.',
    labelNames: ['planned', 'method'],
    registers,
  });
  const residual = new Histogram({
    name: 'flexlora_aggregation_residual_ratio',
    help: 'Measured distance of a truncated sum from the sum, relative to it, by module.',
    buckets: SHARE_BUCKETS,
    registers,
  });
  return {
    taskBegan: () => running.inc(),
    taskEnded: (outcome) => {
      running.dec();
      tasks.inc({ outcome });
    },
    stageTook: (stage, took) => seconds.observe({ stage }, took),
    summed: (result) => {
      sums.inc({ planned: result.fallbackFrom ?? result.method, method: result.method });
      dropped.observe(energyDropped(result));
      residual.observe(result.residual);
    },
  };
}

/** 0 where W is zero: nothing is lost of nothing. */
const energyDropped = ({ energyKept, energyTotal }: ModuleResult): number =>
  energyTotal === 0 ? 0 : Math.max(0, 1 - energyKept / energyTotal);
