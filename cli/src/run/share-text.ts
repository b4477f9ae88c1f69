import { type CohortMember, MemberState } from '@flexlora/contracts/run/v1/run_service';
import { stateWord } from './run-words.ts';

/** What a member does, and how far it is with that. */
export const activityText = (member: CohortMember): string =>
  IS_UNDER_WAY.has(member.state) ? `${stateWord(member.state)} ${shareText(member)}` : stateWord(member.state);

const IS_UNDER_WAY: ReadonlySet<MemberState> = new Set([
  MemberState.DOWNLOADING,
  MemberState.TRAINING,
  MemberState.UPLOADING,
]);

/** How far a member is with what it does, for people: `43 % of 210 MB, 12 MB/s, 10 s left`. What is not known is left out. */
export function shareText({ fraction, bytesTotal, bytesPerSecond, secondsLeft }: CohortMember): string {
  const share = `${Math.round(fraction * 100)} %`;
  if (bytesTotal === undefined) return share;
  const parts = [`${share} of ${bytesText(bytesTotal)}`];
  if (bytesPerSecond !== undefined) parts.push(`${bytesText(bytesPerSecond)}/s`);
  if (secondsLeft !== undefined) parts.push(`${durationText(secondsLeft)} left`);
  return parts.join(', ');
}

type Unit = readonly [name: string, size: number];

const BYTES: readonly Unit[] = [
  ['TB', 1e12],
  ['GB', 1e9],
  ['MB', 1e6],
  ['kB', 1e3],
];
const TIMES: readonly Unit[] = [
  ['days', 86_400],
  ['h', 3_600],
  ['min', 60],
];

function bytesText(bytes: number): string {
  const [name, size] = BYTES.find((unit) => bytes >= unit[1]) ?? ['B', 1];
  const count = bytes / size;
  return `${count < 10 && size > 1 ? count.toFixed(1) : Math.round(count)} ${name}`;
}

/** Two of a unit are told in it, less in the next smaller one: what is left is an estimate. */
function durationText(seconds: number): string {
  const [name, size] = TIMES.find((unit) => seconds >= 2 * unit[1]) ?? ['s', 1];
  return `${Math.ceil(seconds / size)} ${name}`;
}
