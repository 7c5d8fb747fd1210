// Lets a worker give signs of life for every activity that it runs, so that the activities of a worker that was killed are
// tried by another one within seconds.

import type { Context } from '@temporalio/activity';
import type { ActivityInboundCallsInterceptor } from '@temporalio/worker';
import { keepAlive } from '../activities/engine/signs-of-life.js';

/** An activity interceptor for every activity of a worker. */
export function signsOfLifeInterceptor(context: Context): { inbound: ActivityInboundCallsInterceptor } {
  return {
    inbound: {
      async execute(input, next) {
        const stop = keepAlive(context);
        try {
          return await next(input);
        } finally {
          stop();
        }
      },
    },
  };
}
