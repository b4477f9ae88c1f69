// Builds the native addon of the aggregation kernel: crates/flexlora-kernel-node/flexlora-kernel.node
//
//   node scripts/build-kernel.mjs             builds if needed; without a usable Rust it says so and leaves the portable kernel
//   node scripts/build-kernel.mjs --require   the same, but exits with 1 when there is no addon at the end
//
// Plain JavaScript for Node 20 and later: it runs before anything is installed.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const addon = join(root, 'crates/flexlora-kernel-node/flexlora-kernel.node');
const targetDir = join(root, 'target');
const stampFile = join(targetDir, 'flexlora-kernel.stamp');

const installRust = 'install Rust 1.89 or later (https://rustup.rs)';
const installCompiler = "install a C compiler (build-essential, Xcode's command line tools or MSVC)";

/** What cargo says when the machine, and not the source, is the reason; and what to do. */
const machineReasons = [
  [/linker `[^`]*` not found|failed to find tool/, 'there is no C linker', installCompiler],
  [/requires rustc|is not supported by the following package|lock file version/, 'Rust is too old', installRust],
  [/no default toolchain|rustup could not choose/, 'rustup has no toolchain', 'run rustup default stable'],
  [/failed to download|failed to get .* as a dependency/, 'crates cannot be downloaded', 'connect to the network once'],
];

/** Everything that decides what the addon is. */
function sourceHash() {
  const files = ['Cargo.toml', 'Cargo.lock'];
  for (const crate of ['crates/flexlora-kernel', 'crates/flexlora-kernel-node']) {
    for (const name of ['Cargo.toml', 'build.rs'])
      if (existsSync(join(root, crate, name))) files.push(`${crate}/${name}`);
    for (const entry of readdirSync(join(root, crate, 'src'), { recursive: true, withFileTypes: true })) {
      if (entry.isFile() && entry.name.endsWith('.rs'))
        files.push(relative(root, join(entry.parentPath ?? entry.path, entry.name)));
    }
  }
  const hash = createHash('sha256').update(`${process.platform} ${process.arch}\n`);
  for (const file of files.sort()) {
    const content = readFileSync(join(root, file));
    hash.update(`${file} ${content.length}\n`).update(content);
  }
  return hash.digest('hex');
}

/** @returns {{ why: string, remedy: string } | null} null when the library is there; a fault of the source ends the process. */
function compile() {
  const args = ['build', '--release', '--locked', '-p', 'flexlora-kernel-node', '--target-dir', targetDir];
  const done = spawnSync('cargo', args, {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'inherit', 'pipe'],
    maxBuffer: 1 << 26,
  });
  if (done.error?.code === 'ENOENT') return { why: 'cargo is not on PATH', remedy: installRust };
  if (done.error) return { why: `cargo cannot be started (${done.error.message})`, remedy: installRust };
  if (done.status === 0) return null;
  process.stderr.write(done.stderr);
  const known = machineReasons.find(([pattern]) => pattern.test(done.stderr));
  if (known) return { why: known[1], remedy: known[2] };
  console.error(`build-kernel: cargo ${args.join(' ')} failed with exit code ${done.status}; its output stands above.`);
  process.exit(1);
}

function libraryFile() {
  const name = { win32: 'flexlora_kernel_node.dll', darwin: 'libflexlora_kernel_node.dylib' }[process.platform];
  return join(targetDir, 'release', name ?? 'libflexlora_kernel_node.so');
}

/** By renaming, so that a process that has the old addon loaded keeps it. */
function install() {
  const fresh = `${addon}.${process.pid}.new.node`;
  try {
    copyFileSync(libraryFile(), fresh);
    renameSync(fresh, addon);
  } finally {
    rmSync(fresh, { force: true });
  }
}

const hash = sourceHash();
if (existsSync(addon) && existsSync(stampFile) && readFileSync(stampFile, 'utf8') === hash) {
  console.log('build-kernel: the native kernel is up to date.');
} else {
  console.log('build-kernel: building the native kernel (the first time takes a minute or two) …');
  const failure = compile();
  if (failure === null) {
    install();
    mkdirSync(targetDir, { recursive: true });
    writeFileSync(stampFile, hash);
    console.log(`build-kernel: built ${relative(root, addon)}.`);
  } else {
    const required = process.argv.includes('--require');
    const next = required ? 'It is required here' : 'The portable kernel takes its place: the same answers, slower';
    console.log(`build-kernel: no native kernel, because ${failure.why}. ${next}.`);
    console.log(`build-kernel: to have it, ${failure.remedy} and run npm run build:kernel.`);
    process.exit(required ? 1 : 0);
  }
}
