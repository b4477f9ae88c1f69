import type { CohortMember, Run } from '@flexlora/contracts/run/v1/run_service';
import { MemberState, Phase } from '@flexlora/contracts/run/v1/run_service';
import { createLogUpdate } from 'log-update';
import { activityText } from '../run/share-text.ts';

/** Shows a run as it goes: a block that is redrawn on a terminal, lines of what changed elsewhere. */
export interface LiveView {
  show(run: Run, losses: ReadonlyMap<number, number>): void;
  /** A line that stays. */
  note(line: string): void;
  close(): void;
}

export function createLiveView(stream: NodeJS.WriteStream): LiveView {
  return stream.isTTY === true ? createTerminalView(stream) : createLineView(stream);
}

function createTerminalView(stream: NodeJS.WriteStream): LiveView {
  const redraw = createLogUpdate(stream, { showCursor: true });
  return {
    show: (run, losses) => redraw(renderRun(run, losses, stream.columns)),
    note: (line) => {
      redraw.clear();
      stream.write(`${line}\n`);
    },
    close: () => redraw.done(),
  };
}

function createLineView(stream: NodeJS.WriteStream): LiveView {
  const told = new Set<string>();
  return {
    show: (run, losses) => {
      for (const line of linesOf(run, losses)) {
        if (told.has(line)) continue;
        told.add(line);
        stream.write(`${line}\n`);
      }
    },
    note: (line) => stream.write(`${line}\n`),
    close: () => {},
  };
}

/** The block for a terminal of `columns` characters: standing, members, what is published. */
export function renderRun(run: Run, losses: ReadonlyMap<number, number>, columns: number): string {
  const rounds = run.spec?.rounds ?? 0;
  const members = run.cohort.map((member) => {
    const rank = Object.values(member.ranks)[0] ?? 0;
    // The reason begins with the rank, which stands before it already.
    const why = member.rankReason.replace(/^rank \d+: /, '');
    return `  ${member.agentId.padEnd(12)} rank ${String(rank).padStart(3)}  ${gauge(member)} ${activity(member).padEnd(20)} ${why}`;
  });
  const standing = `round ${run.round} of ${rounds} · ${run.standing}`;
  return [standing, ...members, ...aggregation(run), ...published(run, losses), '']
    .map((line) => line.slice(0, columns))
    .join('\n');
}

function aggregation(run: Run): readonly string[] {
  if (run.phase !== Phase.AGGREGATING || run.tasksTotal === 0) return [];
  return [
    `  aggregation            ${gaugeOf(run.tasksDone / run.tasksTotal)} ${run.tasksDone} of ${run.tasksTotal} tasks`,
  ];
}

/** Older rounds are left out, so that the block fits a screen. */
const PUBLISHED_SHOWN = 8;

function published(run: Run, losses: ReadonlyMap<number, number>): readonly string[] {
  return run.published.slice(-PUBLISHED_SHOWN).map((round) => {
    const loss = losses.get(round.round);
    const told = loss === undefined ? '' : `  held-out loss ${loss.toFixed(4)}`;
    const made = round.round === 0 ? 'the start' : `${round.updates} updates, ranks ${rankCounts(round.rankCounts)}`;
    return `  adapter ${String(round.round).padStart(3)}: ${made}${told}`;
  });
}

/** The lines for a log: each is told once. */
export function linesOf(run: Run, losses: ReadonlyMap<number, number>): readonly string[] {
  const lines: string[] = [];
  for (const member of run.cohort) {
    // States that follow closely are told once: a member may be seen first when it is further on.
    lines.push(`round ${run.round}: ${member.agentId} trains at ${ranksOf(member)} (${member.rankReason})`);
    if (member.state === MemberState.ACCEPTED)
      lines.push(`round ${run.round}: ${member.agentId} update accepted${lossOf(member)}`);
    if (member.state === MemberState.DECLINED || member.state === MemberState.FAILED)
      lines.push(`round ${run.round}: ${member.agentId} ${activity(member)}: ${member.reason}`);
  }
  if (run.phase === Phase.AGGREGATING && run.tasksTotal > 0)
    lines.push(`round ${run.round}: aggregation, ${run.tasksDone} of ${run.tasksTotal} tasks done`);
  for (const round of run.published) {
    const loss = losses.get(round.round);
    if (loss !== undefined) lines.push(`adapter ${round.round}: held-out loss ${loss.toFixed(4)}`);
  }
  return lines;
}

const GAUGE_CHARS = 16;
const gauge = (member: CohortMember): string => gaugeOf(member.state === MemberState.ACCEPTED ? 1 : member.fraction);
const gaugeOf = (fraction: number): string => {
  const full = Math.round(Math.max(0, Math.min(1, fraction)) * GAUGE_CHARS);
  return `${'━'.repeat(full)}${'╌'.repeat(GAUGE_CHARS - full)}`;
};

const ranksOf = (member: CohortMember): string =>
  new Set(Object.values(member.ranks)).size === 1
    ? `rank ${Object.values(member.ranks)[0]}`
    : Object.entries(member.ranks)
        .map(([group, rank]) => `rank ${rank} (${group})`)
        .join(', ');

const rankCounts = (counts: Readonly<Record<string, number>>): string =>
  Object.entries(counts)
    .sort(([a], [b]) => Number(a) - Number(b))
    .map(([rank, count]) => `${count}×${rank}`)
    .join(' ') || 'none';

const lossOf = (member: CohortMember): string =>
  member.loss === undefined ? '' : `, training loss ${member.loss.toFixed(3)}`;

function activity(member: CohortMember): string {
  switch (member.state) {
    case MemberState.UNSPECIFIED:
      return '';
    case MemberState.ASSIGNED:
      return 'assigned';
    case MemberState.DOWNLOADING:
    case MemberState.UPLOADING:
      return activityText(member);
    case MemberState.TRAINING:
      return `training${lossOf(member).replace(', training', '')}`;
    case MemberState.ACCEPTED:
      return `accepted${lossOf(member).replace(', training', '')}`;
    case MemberState.DECLINED:
      return 'declined';
    case MemberState.FAILED:
      return 'failed';
  }
}
