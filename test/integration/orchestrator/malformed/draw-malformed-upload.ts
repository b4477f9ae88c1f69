import { type Draw, oneOf } from './draw.ts';
import { garbageMessage } from './garbage-message.ts';
import { flippedBits, mutatedHeader, notFinite, randomBytes } from './malformed-bytes.ts';
import { malformedDeclaration } from './malformed-declaration.ts';
import { malformedHeader } from './malformed-header.ts';
import { anotherUpload, garbledId, lyingId, wrongPlace } from './malformed-naming.ts';
import { malformedStream } from './malformed-stream.ts';
import type { Maker, MalformedUpload, Target } from './malformed-upload.ts';

/** Families and how often each is drawn: those of more variants more often. */
const FAMILIES: readonly (readonly [weight: number, maker: Maker])[] = [
  [10, malformedDeclaration],
  [16, malformedStream],
  [30, malformedHeader],
  [8, mutatedHeader],
  [6, notFinite],
  [4, flippedBits],
  [3, randomBytes],
  [8, garbledId],
  [3, anotherUpload],
  [2, wrongPlace],
  [4, lyingId],
  [6, garbageMessage],
];

const DRAWN: readonly Maker[] = FAMILIES.flatMap(([weight, maker]) => Array<Maker>(weight).fill(maker));

export const drawMalformedUpload = (draw: Draw, target: Target): MalformedUpload => oneOf(draw, DRAWN)(draw, target);
