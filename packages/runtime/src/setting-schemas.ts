import { z } from 'zod';

/** Absent is null, so that a configuration has every key. */
export const absentAsNull = <T>(schema: z.ZodType<T>) =>
  schema.optional().transform((value): T | null => value ?? null);

export const nonEmptyText = z.string().min(1);
export const optionalText = absentAsNull(nonEmptyText);

export const portNumber = z.coerce.number().int().min(0).max(65_535);
export const PORT_ALLOWED = '0 to 65535; 0 takes a free one';

/** Whom gRPC calls: `host:port`, or a name with every address behind it. */
export const grpcTarget = z.string().regex(/^\S+:\d{1,5}$/);
export const GRPC_TARGET_ALLOWED = 'host:port, or dns:///name:port to spread calls over every address of a name';

export const httpUrl = z.string().regex(/^https?:\/\/.+/);
