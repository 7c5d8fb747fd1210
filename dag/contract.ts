// A task's contract: its name, its declared version, and a digest of what it takes and gives.

import { z } from 'zod';

import { digestOf } from './digest.js';
import { SystemError } from './failures.js';
import type { TaskContract } from './graph.js';

interface Promised {
  readonly name: string;
  readonly version: string;
  readonly input: z.ZodType;
  readonly output: z.ZodType;
}

/** Throws `InvalidInput` where a schema has something that JSON cannot carry (a Date, a transform, a custom check of a class). */
export const contractOf = ({ name, version, input, output }: Promised): TaskContract => ({
  name,
  version,
  digest: digestOf({
    input: jsonSchemaOf(input, 'input', `task ${name}: its input`),
    output: jsonSchemaOf(output, 'output', `task ${name}: its output`),
  }),
});

/** The JSON Schema of what goes into a schema, or comes out of it. `what` leads the message of `InvalidInput`. */
export function jsonSchemaOf(
  schema: z.ZodType,
  io: 'input' | 'output',
  what: string,
): Readonly<Record<string, unknown>> {
  try {
    return z.toJSONSchema(schema, { io });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new SystemError(
      'InvalidInput',
      `${what} must be plain JSON, since it is kept in the run's history: ${reason}`,
      {
        cause,
      },
    );
  }
}
