/** A stored document that is not what was written: reading it again gives the same. */
export class DamagedDocument extends Error {
  override readonly name = 'DamagedDocument';
}

/** @throws {DamagedDocument} for bytes that are no JSON object. */
export function parseDocument<Document extends object>(objectName: string, bytes: Uint8Array): Document {
  try {
    const value: unknown = JSON.parse(Buffer.from(bytes).toString('utf8'));
    if (typeof value === 'object' && value !== null) return value as Document;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw new DamagedDocument(
    `${objectName} (${bytes.byteLength} bytes) is damaged; allowed: the JSON object that the platform wrote: restore it from a backup or an older version of the object`,
  );
}
