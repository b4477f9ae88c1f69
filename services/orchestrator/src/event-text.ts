import type { RoundEvent, RoundReply } from '@flexlora/core';
import { CLOCK_AHEAD_MS_MAX } from './limits.ts';

/** Events and replies are plain data, so JSON keeps them whole; only this process' own kind writes them. */
export const encodeEvent = (event: RoundEvent): string => JSON.stringify(event);
export const decodeEvent = (text: string): RoundEvent => JSON.parse(text) as RoundEvent;
export const encodeReply = (reply: RoundReply): string => JSON.stringify(reply);
export const decodeReply = (text: string): RoundReply => JSON.parse(text) as RoundReply;

/**
 * An event carries the time of the door that offered it. One whose clock is ahead of the holder's would let task leases run out and rounds
 * close for everybody; it is taken to have come just now.
 */
export const notAhead = (event: RoundEvent, nowMs: number): RoundEvent =>
  event.atMs <= nowMs + CLOCK_AHEAD_MS_MAX ? event : { ...event, atMs: nowMs };
