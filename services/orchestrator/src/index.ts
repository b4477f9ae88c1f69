export {
  createOrchestrator,
  ORCHESTRATOR_DEFAULTS,
  type Orchestrator,
  type OrchestratorDeps,
  type OrchestratorOptions,
} from './orchestrator.ts';
