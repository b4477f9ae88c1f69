import type { Agent } from '@flexlora/contracts/run/v1/run_service';
import { agentJson } from './run-json.ts';
import { agentsText } from './run-text.ts';
import { type RunVerb, runIdOf } from './verb.ts';

export const agentsVerb: RunVerb = {
  summary: 'the agents of a run: who is ready, the rank that each would get, and what each does',
  usage: '<run>',
  help: [],
  options: {},
  prepare: (words) => {
    const runId = runIdOf(words);
    return async ({ runs, signal, print }) => {
      const agents: Agent[] = [];
      for await (const page of runs.listAgents(runId, signal)) agents.push(...page);
      print({ text: () => agentsText(agents), json: () => agents.map(agentJson) });
    };
  },
};
