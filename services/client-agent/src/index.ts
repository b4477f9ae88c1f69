export type { AdapterWriter } from './adapter/write-peft-directory.ts';
export type { AgentEvent, RunOutcome } from './agent-event.ts';
export type { OnStop } from './carry-out.ts';
export {
  type AgentOutcome,
  type ClientAgent,
  type ClientAgentDeps,
  type ClientAgentOptions,
  createClientAgent,
} from './client-agent.ts';
export { type CommandTrainerOptions, createCommandTrainer } from './command-trainer/command-trainer.ts';
export { TRAINER_LIMITS, type TrainerLimits } from './command-trainer/limits.ts';
export type { AgentDisk, DiskFile } from './disk/agent-disk.ts';
export { createMemoryDisk, type MemoryDisk } from './disk/memory-disk.ts';
export { createNodeDisk } from './disk/node-disk.ts';
export { type ExportAdapterDeps, type ExportAdapterRequest, exportAdapter } from './export-adapter.ts';
export { AGENT_LIMITS, type AgentLimits } from './limits.ts';
export { createPlatformDoor, type PlatformDoor, type PlatformDoorOptions } from './platform-door.ts';
export { parseReceipts, RECEIPTS_FILE, type Receipt } from './receipts.ts';
export * from './trainer.ts';
