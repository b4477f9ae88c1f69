import type { AdapterLayout, AdapterObject } from '@flexlora/contracts/transfer/v1/transfer_service';
import {
  componentBytes,
  isRefusal,
  type LayoutModule,
  type ModuleSpec,
  parseSha256,
  prefixBytes,
  type Refusal,
  refuse,
  type Sha256Hex,
  type SvdSplit,
} from '@flexlora/core';
import { type RunPlan, svdSplitOf } from '../translate.ts';

/** What will come, checked against the run before anything is allocated. */
export interface DownloadPlan {
  readonly bytes: number;
  readonly svdSplit: SvdSplit;
  readonly objects: readonly PlannedObject[];
  /** Every component of every object, in the order of their bytes, without gaps. */
  readonly components: readonly PlannedComponent[];
}

export interface PlannedObject {
  /** In the whole download. */
  readonly begin: number;
  readonly bytes: number;
  readonly modules: readonly PlannedModule[];
}

export interface PlannedModule extends LayoutModule {
  readonly name: string;
  /** The agent's own rank. */
  readonly wanted: number;
}

export interface PlannedComponent {
  readonly begin: number;
  readonly end: number;
  readonly sha256: Sha256Hex;
}

/** @returns a refusal that names what does not fit: the agent cannot train from such an adapter. */
export function planDownload(
  layout: AdapterLayout,
  plan: RunPlan,
  moduleRanks: Readonly<Record<string, number>>,
): DownloadPlan | Refusal {
  const expected = new Map(plan.modules.map((module) => [module.name as string, module]));
  const objects: PlannedObject[] = [];
  const components: PlannedComponent[] = [];
  let begin = 0;
  for (const object of layout.objects) {
    const modules = planModules(object, expected, moduleRanks);
    if (isRefusal(modules)) return modules;
    const slabs = planComponents(object, modules, begin);
    if (isRefusal(slabs)) return slabs;
    objects.push({ begin, bytes: object.bytes, modules });
    components.push(...slabs);
    begin += object.bytes;
  }
  const [missing] = expected.keys();
  if (missing !== undefined)
    return refuse('badModule', `the adapter has no ${missing}; allowed: every module of the run`);
  if (begin !== layout.bytes)
    return refuse('badFile', `the adapter's objects have ${begin} bytes; its layout says ${layout.bytes}`);
  return { bytes: begin, svdSplit: svdSplitOf(layout.svdSplit), objects, components };
}

/** Takes each module off `expected`. */
function planModules(
  object: AdapterObject,
  expected: Map<string, ModuleSpec>,
  moduleRanks: Readonly<Record<string, number>>,
): readonly PlannedModule[] | Refusal {
  const modules: PlannedModule[] = [];
  for (const { name, outFeatures, inFeatures, rank } of object.modules) {
    const spec = expected.get(name);
    if (spec === undefined) return refuse('badModule', `the adapter has ${name}; allowed: each module of the run once`);
    expected.delete(name);
    if (outFeatures !== spec.out || inFeatures !== spec.in) {
      return refuse(
        'badModule',
        `${name} of the adapter is ${outFeatures} × ${inFeatures}; the run has ${spec.out} × ${spec.in}`,
      );
    }
    const wanted = moduleRanks[name] ?? 0;
    if (wanted < 1 || wanted > rank || wanted > object.components) {
      const got = `${rank} components of ${name}, ${object.components} of them in what is sent`;
      return refuse('rankOutOfRange', `the adapter has ${got}; the assignment's rank is ${wanted}`);
    }
    modules.push({ name, out: spec.out, in: spec.in, rank, wanted });
  }
  return modules;
}

function planComponents(
  object: AdapterObject,
  modules: readonly PlannedModule[],
  begin: number,
): readonly PlannedComponent[] | Refusal {
  const { components, componentSha256, bytes } = object;
  if (componentSha256.length !== components) {
    return refuse(
      'badDigest',
      `an object of the adapter has ${components} components and ${componentSha256.length} digests`,
    );
  }
  const needed = prefixBytes(modules, components);
  if (bytes !== needed) {
    return refuse(
      'badFile',
      `${components} components of an object of the adapter have ${needed} bytes; its layout says ${bytes}`,
    );
  }
  const planned: PlannedComponent[] = [];
  let at = begin;
  for (const [component, text] of componentSha256.entries()) {
    const sha256 = parseSha256('component_sha256', text);
    if (isRefusal(sha256)) return sha256;
    const end = at + componentBytes(modules, component);
    planned.push({ begin: at, end, sha256 });
    at = end;
  }
  return planned;
}
