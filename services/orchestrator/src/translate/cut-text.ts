import { MESSAGE_CHARS_MAX } from '@flexlora/core';

/** Text of a client that an operator will read: one line, at most `MESSAGE_CHARS_MAX` characters. */
export function cutText(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it removes
  const line = text.replace(/[\u0000-\u001f\u007f]+/g, ' ').trim();
  return line.length <= MESSAGE_CHARS_MAX ? line : `${line.slice(0, MESSAGE_CHARS_MAX - 1)}…`;
}
