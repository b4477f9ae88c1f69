import { once } from 'node:events';
import { createServer, type IncomingMessage, request } from 'node:http';
import type { AddressInfo } from 'node:net';

/** An HTTP relay that answers some requests itself: an S3 that behaves as one that is not at hand. */
export interface AnsweringProxy {
  readonly port: number;
  /** Requests that match are answered so, as often as said, and do not reach the server. The rule replaces the one before. */
  answer(rule: AnswerRule): void;
  /** How many requests were answered here. */
  answered(): number;
  close(): Promise<void>;
}

export interface AnswerRule {
  readonly matches: (request: IncomingMessage) => boolean;
  readonly status: number;
  /** S3's code; none for an empty body. */
  readonly code?: string;
  readonly times: number;
}

export async function openAnsweringProxy(targetPort: number): Promise<AnsweringProxy> {
  let rule: AnswerRule | null = null;
  let timesLeft = 0;
  let answered = 0;

  const server = createServer((incoming, outgoing) => {
    if (rule !== null && timesLeft > 0 && rule.matches(incoming)) {
      timesLeft -= 1;
      answered += 1;
      const { status, code } = rule;
      incoming.resume();
      incoming.once('end', () => {
        outgoing.writeHead(status, { etag: '"0"', 'content-type': 'application/xml' });
        outgoing.end(code === undefined ? '' : `<Error><Code>${code}</Code><Message>made up</Message></Error>`);
      });
      return;
    }
    const { method = 'GET', url = '/', headers } = incoming;
    const forwarded = request({ host: '127.0.0.1', port: targetPort, method, path: url, headers }, (response) => {
      outgoing.writeHead(response.statusCode ?? 502, response.headers);
      response.pipe(outgoing);
    });
    forwarded.on('error', () => outgoing.destroy());
    incoming.pipe(forwarded);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');

  return {
    port: (server.address() as AddressInfo).port,
    answer(next) {
      rule = next;
      timesLeft = next.times;
    },
    answered: () => answered,
    async close() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}
