/** What the simulated world is like, and how much of it this process carries at once. */

/** The cohort for one wanted update: as the server does where a run says nothing. */
export const OVER_SELECTION = 1.3;
/** A round is aggregated with half of what it wants. */
export const MINIMUM_SHARE = 0.5;
/** Optimiser steps of one assignment. */
export const TRAINING_STEPS = 100;
/** Half an hour of the traces, from hand-out to the closing of a round. */
export const COLLECTING_TRACE_MS = 1_800_000;
/** Of the real clock: a sum of thousands of updates takes seconds, and a lost aggregator is noticed soon. */
export const TASK_LEASE_MS = 30_000;
/** Of the real clock: agents that were told to come back later are still ready. */
export const AGENT_READY_MS = 180_000;

/** Modules of the simulated model: square, so that the bytes of an update say their side. */
export const MODULES = 4;
export const RANK_TIERS: readonly number[] = [4, 8, 16, 32, 64];
/** The rank at which `--update-bytes` is meant. */
export const MIDDLE_RANK = 16;
const F32_BYTES = 4;
/** Bytes of an update at the middle rank for each feature of a side. */
export const BYTES_PER_SIDE = MODULES * 2 * MIDDLE_RANK * F32_BYTES;
/** Sides of 64: the largest tier still fits. */
export const UPDATE_BYTES_MIN = 64 * BYTES_PER_SIDE;
/** Sides of 8,192, as large models have them. */
export const UPDATE_BYTES_MAX = 8_192 * BYTES_PER_SIDE;

/** Virtual agents on one pair of connections: a server sees a hundredth of the sockets and all of the calls. */
export const AGENTS_PER_DOOR = 100;
/** Agents that one thread drives: its heap stays small enough that collecting it does not show in what it measures. */
export const AGENTS_PER_DRIVER = 1_250;
export const DRIVERS_MAX = 64;
/** Of one driver's heap, in MiB: what a call leaves behind dies there, before it is old. */
export const DRIVER_YOUNG_MIB = 48;
/** How often a driver tells what happened. */
export const NEWS_EVERY_MS = 250;
/** Agents that begin in a second: a fleet never starts in one. */
export const STARTS_PER_SECOND = 200;
/** Manifests of one round that are read when the run has ended. */
export const AUDIT_MS_MAX = 60_000;
