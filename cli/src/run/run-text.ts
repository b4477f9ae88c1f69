import type { Agent, CohortMember, PublishedRound, Run } from '@flexlora/contracts/run/v1/run_service';
import { phaseWord, stateWord } from './run-words.ts';
import { activityText, shareText } from './share-text.ts';
import { textTable } from './text-table.ts';

/** One line: where a run stands. Rounds that were spent on rolling back come on top of those that were asked for. */
export function standingLine(run: Run): string {
  const rolledBack = run.published.filter((round) => round.rolledBackTo !== undefined).length;
  const rounds = (run.spec?.rounds ?? 0) + rolledBack;
  const paused = run.paused ? 'paused, ' : '';
  return `${run.spec?.runId ?? '?'}: ${paused}${phaseWord(run.phase)}, round ${run.round} of ${rounds}: ${run.standing}`;
}

export const listText = (runs: readonly Run[]): string =>
  runs.length === 0
    ? 'no runs\n'
    : textTable(
        ['run', 'phase', 'round', 'ready', 'enrolled', 'standing'],
        runs.map((run) => [
          run.spec?.runId ?? '?',
          run.paused ? `${phaseWord(run.phase)} (paused)` : phaseWord(run.phase),
          run.round,
          run.agentsReady,
          run.agentsEnrolled,
          run.standing,
        ]),
      );

/** The whole of a run: standing, counts, published rounds, and the cohort where it was asked for. */
export function runText(run: Run): string {
  const counts = [
    `agents: ${run.agentsReady} ready of ${run.agentsEnrolled} enrolled`,
    `open round: ${run.updatesAccepted} updates accepted, ${run.tasksDone} of ${run.tasksTotal} tasks done`,
  ];
  const parts = [`${standingLine(run)}\n${counts.join('\n')}\n`];
  if (run.published.length > 0) parts.push(publishedText(run.published));
  if (run.cohort.length > 0) parts.push(cohortText(run.cohort));
  return parts.join('\n');
}

const publishedText = (published: readonly PublishedRound[]): string =>
  textTable(
    ['adapter', 'published', 'updates', 'samples', 'training loss', 'ranks', 'adapter digest'],
    published.map((round) => [
      round.round,
      new Date(round.publishedAtMs).toISOString(),
      round.updates,
      round.samples,
      round.trainingLoss?.toFixed(4) ?? '-',
      round.rolledBackTo === undefined ? rankCounts(round.rankCounts) : `round ${round.rolledBackTo} again`,
      round.adapterDigest.slice(0, DIGEST_CHARS) || '-',
    ]),
  );

const cohortText = (cohort: readonly CohortMember[]): string =>
  textTable(
    ['agent', 'ranks', 'state', 'share', 'loss', 'why'],
    cohort.map((member) => [
      member.agentId,
      ranksText(member.ranks),
      stateWord(member.state),
      shareText(member),
      member.loss?.toFixed(3) ?? '-',
      member.reason || member.rankReason,
    ]),
  );

export const agentsText = (agents: readonly Agent[]): string =>
  agents.length === 0
    ? 'no agents\n'
    : textTable(
        ['agent', 'ready', 'rounds served', 'samples', 'ranks', 'does', 'why'],
        agents.map((agent) => [
          agent.agentId,
          agent.ready ? 'yes' : 'no',
          agent.roundsServed,
          agent.samples,
          ranksText(agent.ranks),
          agent.part === undefined ? '-' : activityText(agent.part),
          agent.rankReason,
        ]),
      );

/** As many digits as tell digests apart at a glance; JSON has them all. */
const DIGEST_CHARS = 12;

const ranksText = (ranks: Readonly<Record<string, number>>): string =>
  Object.entries(ranks)
    .map(([group, rank]) => `${group} ${rank}`)
    .join(', ') || 'none';

const rankCounts = (counts: Readonly<Record<string, number>>): string =>
  Object.entries(counts)
    .sort(([a], [b]) => Number(a) - Number(b))
    .map(([rank, count]) => `${count}×${rank}`)
    .join(' ') || '-';
