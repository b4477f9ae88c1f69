import type { FaultPlan } from './fault-plan.ts';

/**
 * The smallest plan that still fails: drops faults one by one for as long as it does. What is left is what the failure needs.
 *
 * @param fails plays a plan.
 */
export async function shrinkPlan(plan: FaultPlan, fails: (plan: FaultPlan) => Promise<boolean>): Promise<FaultPlan> {
  let smallest = plan;
  for (let hasShrunk = true; hasShrunk; ) {
    hasShrunk = false;
    for (const fault of smallest.faults) {
      const smaller = { ...smallest, faults: smallest.faults.filter((other) => other !== fault) };
      if (!(await fails(smaller))) continue;
      smallest = smaller;
      hasShrunk = true;
    }
  }
  return smallest;
}
