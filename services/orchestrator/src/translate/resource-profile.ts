import type { ResourceProfile as ResourceProfileMessage } from '@flexlora/contracts/agent/v1/agent_service';
import { type Refusal, type ResourceProfile, refuse, validateProfile } from '@flexlora/core';

/** What an agent has, from a message, believable, or the first thing that is wrong with it. */
export function resourceProfileFromMessage(message: ResourceProfileMessage | undefined): ResourceProfile | Refusal {
  if (message === undefined) return refuse('badProfile', 'profile is not set; allowed: what the agent has');
  const profile: ResourceProfile = {
    memoryBytesMax: message.memoryBytesMax,
    measurements: message.measurements.map(({ rank, memoryBytes, stepSeconds }) => ({
      rank,
      memoryBytes,
      stepSeconds,
    })),
    uplinkBytesPerSecond: message.uplinkBytesPerSecond,
    samples: message.samples,
  };
  return validateProfile(profile) ?? profile;
}
