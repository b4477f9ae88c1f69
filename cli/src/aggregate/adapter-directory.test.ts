import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { promisify } from 'node:util';
import { Fault, isRefusal } from '@flexlora/core';
import { openAdapterDirectory } from './adapter-directory.ts';
import { MIX, temporaryDirectory, writeFixture } from './adapter-fixture.ts';

describe('openAdapterDirectory', () => {
  for (const name of ['adapter_config.json', 'adapter_model.safetensors']) {
    it(`refuses a directory in the place of ${name} by its path, where it gave a bare EISDIR`, async (test) => {
      const site = await writeFixture(join(await temporaryDirectory(test), 'site'), MIX[0]!);
      await rm(join(site, name));
      await mkdir(join(site, name));
      const answer = await openAdapterDirectory(site);
      assert.ok(isRefusal(answer), 'expected a refusal');
      assert.equal(answer.reason, 'badFile');
      assert.equal(answer.message.split('; ')[0], `${join(site, name)}: is a directory`);
    });

    it(`refuses a named pipe in the place of ${name}, on which it waited`, async (test) => {
      const site = await writeFixture(join(await temporaryDirectory(test), 'site'), MIX[0]!);
      await rm(join(site, name));
      await promisify(execFile)('mkfifo', [join(site, name)]);
      const answer = await openAdapterDirectory(site);
      assert.ok(isRefusal(answer), 'expected a refusal');
      assert.match(answer.message, /is neither a file nor a directory; allowed: a file/);
    });

    it(`says which file a fault of the system is about: a link of ${name} to itself`, async (test) => {
      const site = await writeFixture(join(await temporaryDirectory(test), 'site'), MIX[0]!);
      await rm(join(site, name));
      await symlink(name, join(site, name));
      await assert.rejects(openAdapterDirectory(site), (error) => {
        assert.ok(error instanceof Fault);
        assert.equal(error.message, `${join(site, name)} could not be read`);
        assert.match((error.cause as Error).message, /^ELOOP/);
        return true;
      });
    });
  }
});
