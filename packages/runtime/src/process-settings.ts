import { z } from 'zod';
import { setting } from './config.ts';
import { LOG_LEVELS } from './logger.ts';
import { nonEmptyText, PORT_ALLOWED, portNumber } from './setting-schemas.ts';

/** What every process reads. */
export const processSettings = {
  logLevel: setting({
    env: 'FLEXLORA_LOG_LEVEL',
    schema: z.enum(LOG_LEVELS).default('info'),
    allowed: LOG_LEVELS.join(', '),
    example: 'info',
    about: 'Least severe lines that are logged.',
  }),
  statusHost: setting({
    env: 'FLEXLORA_STATUS_HOST',
    schema: nonEmptyText.default('0.0.0.0'),
    allowed: 'an address of this machine',
    example: '127.0.0.1',
    about: 'Address that /livez, /readyz and /metrics listen on.',
  }),
  statusPort: setting({
    env: 'FLEXLORA_STATUS_PORT',
    schema: portNumber.default(9464),
    allowed: PORT_ALLOWED,
    example: '9464',
    about: 'Port of /livez, /readyz and /metrics.',
  }),
};
