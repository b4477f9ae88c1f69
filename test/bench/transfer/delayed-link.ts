import { openFaultProxy } from '../../harness/proxy/fault-proxy.ts';
import { answerOrders } from './child-program.ts';

// A link that takes half of a round trip each way.

const { port, roundTripMs } = JSON.parse(process.argv[2] ?? '{}') as {
  readonly port: number;
  readonly roundTripMs: number;
};
const link = await openFaultProxy(port, { queuedBytesMax: 256 << 20 });
link.delay(roundTripMs / 2);
answerOrders(link.port);
