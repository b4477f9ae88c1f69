/** One element; text content and attributes are escaped. */
export function element(
  name: string,
  attributes: Readonly<Record<string, string | number>>,
  content: readonly string[] = [],
): string {
  const written = Object.entries(attributes)
    .map(([key, value]) => ` ${key}="${escaped(typeof value === 'number' ? rounded(value) : value)}"`)
    .join('');
  return content.length === 0 ? `<${name}${written}/>` : `<${name}${written}>${content.join('')}</${name}>`;
}

export function label(text: string, x: number, y: number, classes: string): string {
  return element('text', { x, y, class: classes }, [escaped(text)]);
}

export function polyline(points: readonly (readonly [number, number])[], classes: string): string {
  return element('polyline', { points: points.map((point) => point.map(rounded).join(',')).join(' '), class: classes });
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}

function rounded(value: number): string {
  return `${Math.round(value * 10) / 10}`;
}
