import type { RoundEvent, RoundReply } from '@flexlora/core';

/** Events and replies are plain data, so JSON keeps them whole; only this process' own kind writes them. */
export const encodeEvent = (event: RoundEvent): string => JSON.stringify(event);
export const decodeEvent = (text: string): RoundEvent => JSON.parse(text) as RoundEvent;
export const encodeReply = (reply: RoundReply): string => JSON.stringify(reply);
export const decodeReply = (text: string): RoundReply => JSON.parse(text) as RoundReply;
