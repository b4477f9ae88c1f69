import { SPECTRA } from '../factors/factor-maker.ts';
import { createLogAxis, type LogAxis } from '../report/log-axis.ts';
import { element, label, polyline } from '../report/svg.ts';
import type { CaseReport } from './bench-kernel.ts';
import { referenceSeconds } from './reference.ts';

const WIDTH = 980;
const HEIGHT = 500;
const TOP = 92;
const BOTTOM = 56;
const LEFT = 64;
/** Where the names of the lines stand, right of each panel. */
const NAMES = 66;
/** Between panels. */
const GAP = 14;
const NAME_HEIGHT = 14;

/** One colour a size, told apart by those who see colours differently too (Okabe and Ito). More sizes than colours begin anew. */
const LIGHT = ['#0072b2', '#d55e00', '#009e73', '#a64d8a', '#8a6d00'];
const DARK = ['#56b4e9', '#ff9248', '#2fd0a0', '#e58cc8', '#e6c84f'];

const TITLES: Readonly<Record<CaseReport['spectrum'], string>> = {
  decay: 'decay: a common part and noise',
  flat: 'flat: independent factors',
};

/** Seconds against the sum of ranks, both logarithmic: a panel a spectrum, a colour a size of W, the reference dashed. */
export function kernelPlot(cases: readonly CaseReport[]): string {
  const sizes = [...new Set(cases.map(sizeOf))];
  const spectra = SPECTRA.filter((spectrum) => cases.some((each) => each.spectrum === spectrum));
  const seconds = cases.flatMap((each) => [each.seconds.median, ...timesOfReference(each)]);
  const y = createLogAxis(seconds, HEIGHT - BOTTOM, TOP);
  const panelWidth = (WIDTH - LEFT + GAP) / spectra.length;
  const panels = spectra.map((spectrum, i) => {
    const left = LEFT + i * panelWidth;
    const own = cases.filter((each) => each.spectrum === spectrum);
    const x = createLogAxis(
      cases.map((each) => each.rankSum),
      left,
      left + panelWidth - NAMES - GAP,
    );
    return panel({ title: TITLES[spectrum], cases: own, sizes, x, y, left, right: left + panelWidth - NAMES - GAP });
  });
  return `${element('svg', { xmlns: 'http://www.w3.org/2000/svg', viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: 'img' }, [
    element('title', {}, ['Seconds to sum and truncate, against the sum of ranks']),
    element('style', {}, [style()]),
    element('rect', { width: WIDTH, height: HEIGHT, class: 'ground' }),
    label(`Seconds to sum all updates of one module and keep ${cases[0]!.rank} components`, 16, 28, 'title'),
    ...legend(cases.some((each) => each.reference !== null)),
    ...panels,
  ])}\n`;
}

interface Panel {
  readonly title: string;
  readonly cases: readonly CaseReport[];
  readonly sizes: readonly string[];
  readonly x: LogAxis;
  readonly y: LogAxis;
  readonly left: number;
  readonly right: number;
}

function panel({ title, cases, sizes, x, y, left, right }: Panel): string {
  const bottom = HEIGHT - BOTTOM;
  const grid = [
    ...y.ticks.flatMap((tick) => {
      const at = y.position(tick);
      return [
        element('line', { x1: left, x2: right, y1: at, y2: at, class: 'grid' }),
        ...(left === LEFT ? [label(timeName(tick), left - 8, at + 4, 'tick end')] : []),
      ];
    }),
    ...x.ticks.flatMap((tick) => {
      const at = x.position(tick);
      return [
        element('line', { x1: at, x2: at, y1: TOP, y2: bottom, class: 'grid' }),
        label(tick.toLocaleString('en-US'), at, bottom + 18, 'tick middle'),
      ];
    }),
  ];
  const lines = sizes.flatMap((size, i) => {
    const own = cases.filter((each) => sizeOf(each) === size).toSorted((p, q) => p.rankSum - q.rankSum);
    const at = (each: CaseReport, value: number): readonly [number, number] => [
      x.position(each.rankSum),
      y.position(value),
    ];
    const ours = own.map((each) => at(each, each.seconds.median));
    const theirs = own.flatMap((each) => timesOfReference(each).map((value) => at(each, value)));
    return [
      { size, colour: i % LIGHT.length, kind: 'reference', points: theirs },
      { size, colour: i % LIGHT.length, kind: 'ours', points: ours },
    ].filter(({ points }) => points.length > 0);
  });
  const names = spreadOut(lines.map(({ points }) => points.at(-1)![1]));
  return [
    ...grid,
    label(title, left, TOP - 12, 'heading'),
    label('sum of the ranks of all updates', (left + right) / 2, bottom + 40, 'axis middle'),
    ...lines.map(({ kind, colour, points }) => polyline(points, `${kind} c${colour}`)),
    ...lines.flatMap(({ kind, colour, points }) =>
      points.map(([cx, cy]) => element('circle', { cx, cy, r: kind === 'ours' ? 3.5 : 2.5, class: `dot c${colour}` })),
    ),
    ...lines.map(({ size, colour, points }, i) =>
      label(size, points.at(-1)![0] + 10, names[i]! + 4, `name c${colour}`),
    ),
  ].join('');
}

function legend(hasReference: boolean): readonly string[] {
  const entry = (at: number, kind: string, text: string): readonly string[] => [
    element('line', { x1: at, x2: at + 34, y1: 49, y2: 49, class: `${kind} plain` }),
    label(text, at + 42, 53, 'axis'),
  ];
  return [
    ...entry(16, 'ours', 'the kernel'),
    ...(hasReference ? entry(150, 'reference', 'the published method: dense products, full SVD') : []),
  ];
}

/** Moves heights apart until no two names overlap; their order stays. */
function spreadOut(heights: readonly number[]): readonly number[] {
  const order = [...heights.keys()].sort((i, j) => heights[i]! - heights[j]!);
  const moved = [...heights];
  for (let k = 1; k < order.length; k++) {
    const above = moved[order[k - 1]!]!;
    moved[order[k]!] = Math.max(moved[order[k]!]!, above + NAME_HEIGHT);
  }
  return moved;
}

function sizeOf({ out, in: columns }: CaseReport): string {
  return out === columns ? `${out}²` : `${out} × ${columns}`;
}

/** One number or none. */
function timesOfReference({ reference }: CaseReport): readonly number[] {
  return reference === null ? [] : [referenceSeconds(reference)];
}

function timeName(seconds: number): string {
  if (seconds >= 1) return `${Math.round(seconds)} s`;
  return seconds >= 1e-3 ? `${Math.round(seconds * 1e3)} ms` : `${Math.round(seconds * 1e6)} µs`;
}

function style(): string {
  const colours = (set: readonly string[]) => set.map((colour, i) => `.c${i}{--c:${colour}}`).join('');
  return [
    'svg{--ground:#fff;--ink:#1b1f24;--soft:#59636e;--grid:#d9dee3;font-family:system-ui,"Segoe UI","DejaVu Sans",sans-serif}',
    colours(LIGHT),
    '.ground{fill:var(--ground)}text{fill:var(--ink)}.title{font-size:17px;font-weight:600}.heading{font-size:14px;font-weight:600}',
    '.axis{font-size:13px}.tick{font-size:12px;fill:var(--soft)}.end{text-anchor:end}.middle{text-anchor:middle}',
    '.name{font-size:12px;font-weight:600;fill:var(--c)}.grid{stroke:var(--grid);stroke-width:1}',
    '.ours,.reference{fill:none;stroke:var(--c);stroke-width:2.2;stroke-linejoin:round}.reference{stroke-dasharray:6 5;stroke-width:1.6}',
    '.dot{fill:var(--c);stroke:var(--ground);stroke-width:1}.plain{--c:var(--soft)}',
    `@media(prefers-color-scheme:dark){svg{--ground:#12161b;--ink:#e8ebee;--soft:#a3adb8;--grid:#2d343c}${colours(DARK)}}`,
  ].join('');
}
