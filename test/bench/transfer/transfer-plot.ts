import { threeDigits } from '../report/markdown.ts';
import { element, label } from '../report/svg.ts';
import type { CaseReport } from './bench-transfer.ts';
import { nameOf, type Way } from './transfer-case.ts';

const WIDTH = 980;
const LEFT = 250;
const RIGHT = 120;
const TOP = 60;
const BAR = 14;
const GROUP_GAP = 16;

/** Told apart by those who see colours differently too (Okabe and Ito). */
const COLOURS: Readonly<Record<Way, string>> = {
  raw: '#8c8c8c',
  direct: '#8c8c8c',
  stock: '#d55e00',
  flexlora: '#0072b2',
};

/** Bytes a second, a group of bars a case: each case has a scale of its own, because a delay takes all ways down together. */
export function transferPlot(cases: readonly CaseReport[]): string {
  let y = TOP;
  const groups = cases.flatMap((each) => {
    const most = Math.max(...each.ways.map(({ bytesPerSecond }) => bytesPerSecond));
    const top = y;
    y += each.ways.length * BAR + GROUP_GAP;
    const bars = each.ways.flatMap(({ way, bytesPerSecond }, i) => {
      const width = Math.max(1, ((WIDTH - LEFT - RIGHT) * bytesPerSecond) / most);
      const at = top + i * BAR;
      return [
        element('rect', { x: LEFT, y: at, width: width.toFixed(1), height: BAR - 3, fill: COLOURS[way] }),
        label(`${way} ${threeDigits(bytesPerSecond / 1e6)}`, LEFT + width + 6, at + BAR - 5, 'value'),
      ];
    });
    return [label(nameOf(each), 16, top + BAR - 4, 'name'), ...bars];
  });
  const style = `text{font:12px system-ui,sans-serif;fill:#444}.title{font-size:16px;fill:#222}.ground{fill:#fff}
@media(prefers-color-scheme:dark){text{fill:#bbb}.title{fill:#eee}.ground{fill:#16181d}}`;
  return `${element('svg', { xmlns: 'http://www.w3.org/2000/svg', viewBox: `0 0 ${WIDTH} ${y}`, role: 'img' }, [
    element('title', {}, ['Megabytes a second, by case and way']),
    element('style', {}, [style]),
    element('rect', { width: WIDTH, height: y, class: 'ground' }),
    label('Megabytes a second', 16, 30, 'title'),
    ...groups,
  ])}\n`;
}
