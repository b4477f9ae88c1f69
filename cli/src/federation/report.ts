import type { FollowedRun } from './follow-run.ts';

/** What `flexlora start` and `flexlora dev-cluster` found out; printed by `--json` as it is. Losses are mean nats per byte on held-out text. */
export interface FederationReport {
  readonly run_id: string;
  readonly base_loss: number;
  readonly rounds: readonly RoundReport[];
  /** The last adapter cut to each rank in use. */
  readonly by_rank: Readonly<Record<string, number>>;
  readonly agents: readonly {
    readonly agent: string;
    readonly ranks: Readonly<Record<string, number>>;
    readonly why: string;
  }[];
  readonly adapter_dir: string;
  readonly kernel: string;
  readonly seconds: number;
}

export interface RoundReport {
  readonly round: number;
  readonly held_out_loss: number;
  /** Mean of the agents' own training losses, weighted by samples. */
  readonly training_loss: number | null;
  readonly updates: number;
  readonly energy_dropped_max: number;
  readonly residual_max: number;
}

/** The closing table. */
export function renderReport(report: FederationReport): string {
  const rows: [string, number][] = [['base model', report.base_loss]];
  for (const round of report.rounds)
    rows.push([`after round ${round.round} (${round.updates} updates)`, round.held_out_loss]);
  const ranks = Object.keys(report.by_rank).sort((a, b) => Number(a) - Number(b));
  for (const rank of ranks) rows.push([`last adapter cut to rank ${rank}`, report.by_rank[rank] ?? Number.NaN]);
  const wide = Math.max(...rows.map(([label]) => label.length));
  const lines = rows.map(
    ([label, loss]) => `  ${label.padEnd(wide)}  ${loss.toFixed(4)}  ${bar(loss, report.base_loss)}`,
  );
  return [
    '',
    `held-out loss, nats per byte, 13 languages`.replace('13', String(report.agents.length)),
    ...lines,
    '',
    `PEFT adapter: ${report.adapter_dir}`,
    `${report.seconds.toFixed(1)} s, ${report.kernel} kernel`,
    '',
  ].join('\n');
}

const BAR_CHARS = 40;
const bar = (loss: number, base: number): string =>
  '█'.repeat(Math.max(0, Math.min(BAR_CHARS, Math.round((loss / base) * BAR_CHARS))));

export interface ReportParts {
  readonly runId: string;
  readonly followed: FollowedRun;
  readonly byRank: ReadonlyMap<number, number>;
  readonly adapterDir: string;
  readonly kernel: string;
  readonly seconds: number;
}

export function reportOf({ runId, followed, byRank, adapterDir, kernel, seconds }: ReportParts): FederationReport {
  return {
    run_id: runId,
    base_loss: followed.baseLoss,
    rounds: followed.rounds.map(({ published, heldOutLoss }) => ({
      round: published.round,
      held_out_loss: heldOutLoss,
      training_loss: published.trainingLoss ?? null,
      updates: published.updates,
      energy_dropped_max: published.energyDroppedMax,
      residual_max: published.residualMax,
    })),
    by_rank: Object.fromEntries([...byRank].map(([rank, loss]) => [String(rank), loss])),
    agents: [...followed.members.values()].map(({ agentId, ranks, rankReason }) => ({
      agent: agentId,
      ranks,
      why: rankReason,
    })),
    adapter_dir: adapterDir,
    kernel,
    seconds,
  };
}
