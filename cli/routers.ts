// Tells every router to read an endpoint now, and says which of them did not answer.

import type { Router } from '../systems/serving/port.js';

export interface RouterAnswer {
  readonly router: string;
  readonly generation: number | null;
  /** Why it did not answer. */
  readonly problem: string | null;
}

export const syncRouters = (routers: readonly Router[], model: string): Promise<RouterAnswer[]> =>
  Promise.all(
    routers.map(async (router) => {
      try {
        return { router: router.id, generation: (await router.sync(model)).generation, problem: null };
      } catch (error) {
        return { router: router.id, generation: null, problem: error instanceof Error ? error.message : String(error) };
      }
    }),
  );
