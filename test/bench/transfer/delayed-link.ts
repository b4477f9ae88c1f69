import { openFaultProxy } from '../../harness/proxy/fault-proxy.ts';
import { answerOrders } from './child-program.ts';

// A link that takes half of a round trip each way: the port it leads to and the milliseconds of a round trip are its arguments.

const [port, roundTripMs] = process.argv.slice(2).map(Number);
if (port === undefined || roundTripMs === undefined) throw new Error('delayed-link.ts PORT ROUND_TRIP_MS');
const link = await openFaultProxy(port, { queuedBytesMax: 256 << 20 });
link.delay(roundTripMs / 2);
answerOrders(link.port);
