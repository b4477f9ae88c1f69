import { readFileSync } from 'node:fs';

/** Each script's name here is its method on the connection; `keys` is how many of its arguments are keys. */
export const LUA_SCRIPTS = {
  acquireLease: { file: 'acquire-lease.lua', keys: 2 },
  renewLease: { file: 'renew-lease.lua', keys: 1 },
  releaseLease: { file: 'release-lease.lua', keys: 1 },
  offerEvent: { file: 'offer.lua', keys: 3 },
  commitBatch: { file: 'commit.lua', keys: 5 },
  readState: { file: 'read-state.lua', keys: 2 },
  readFields: { file: 'read-fields.lua', keys: 2 },
} as const;

/** A list is spread by the client, which has no limit where a call's arguments have one. */
type Argument = string | number | readonly string[];

/** The scripts as the connection runs them: by digest, sending the text again where the server does not know it. */
export interface LuaCommands {
  acquireLease(...args: readonly Argument[]): Promise<[code: number, forMs: number]>;
  renewLease(...args: readonly Argument[]): Promise<number>;
  releaseLease(...args: readonly Argument[]): Promise<number>;
  offerEvent(...args: readonly Argument[]): Promise<number>;
  commitBatch(...args: readonly Argument[]): Promise<number>;
  readState(...args: readonly Argument[]): Promise<readonly [string, readonly string[]] | null>;
  readFields(...args: readonly Argument[]): Promise<readonly (string | null)[]>;
}

export function loadLuaScripts(): Record<string, { readonly lua: string; readonly numberOfKeys: number }> {
  return Object.fromEntries(
    Object.entries(LUA_SCRIPTS).map(([name, { file, keys }]) => [
      name,
      { lua: readFileSync(new URL(`lua/${file}`, import.meta.url), 'utf8'), numberOfKeys: keys },
    ]),
  );
}
