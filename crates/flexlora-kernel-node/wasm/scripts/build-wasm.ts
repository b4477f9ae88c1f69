import { join } from 'node:path';
import asc from 'assemblyscript/asc';

const kernels = join(import.meta.dirname, '..');

/** Compiles wasm/*.ts (AssemblyScript) to WebAssembly; the same source always gives the same bytes. */
export async function compileWasm(): Promise<Uint8Array> {
  let binary: Uint8Array | null = null;
  const flags = ['-O3', '--runtime', 'stub', '--importMemory', '--enable', 'relaxed-simd', '--use', 'abort='];
  const { error, stderr } = await asc.main(
    ['kernels.ts', '--outFile', 'kernels.wasm', ...flags, '--baseDir', kernels],
    {
      writeFile: (name, contents) => {
        if (name.endsWith('kernels.wasm')) binary = contents as Uint8Array;
      },
    },
  );
  if (error !== null || binary === null)
    throw new Error(`asc refused the kernels:\n${stderr.toString()}`, { cause: error });
  return binary;
}

if (import.meta.main) {
  const { writeFileSync } = await import('node:fs');
  const binary = await compileWasm();
  writeFileSync(join(kernels, 'kernels.wasm'), binary);
  console.log(`kernels.wasm: ${binary.length} bytes`);
}
