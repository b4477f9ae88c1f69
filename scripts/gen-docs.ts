// Writes the reference pages that are made from catalogues in the code. `npm run gen` runs it; a test holds the pages against it.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { referencePages } from './reference-pages.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
for (const [file, text] of Object.entries(referencePages())) writeFileSync(join(root, file), text);
