import { ORCHESTRATORS } from '../faults/draw-plan.ts';

export const ORCHESTRATOR_PORT = 7_000;
/** Any of them: each call takes one that is there. */
export const ORCHESTRATOR_TARGET = ORCHESTRATORS.map((host) => `${host}:${ORCHESTRATOR_PORT}`).join(',');
