// What became of the requests that users sent to a model. Counted apart from what its versions did: a request that a second
// version answered, after the first had failed, was one request and no failure.

import type { UserRequestCounts } from '../systems/serving/admin-api.js';

/** What a user's request came to. */
export type Ending =
  /** The whole answer was handed over; `failed`: it was one of 500 or above. */
  | 'answered'
  | 'failed'
  /** The user was gone before that. */
  | 'left'
  /** The answer was broken off. */
  | 'cut';

/** Since this process started. */
export class UserRequests {
  #received = 0;
  readonly #ended: Record<Ending, number> = { answered: 0, failed: 0, left: 0, cut: 0 };

  begin(): void {
    this.#received += 1;
  }

  end(ending: Ending): void {
    this.#ended[ending] += 1;
  }

  get counts(): UserRequestCounts {
    const { answered, failed, left, cut } = this.#ended;
    const received = this.#received;
    return {
      received,
      answered: answered + failed,
      failed,
      left,
      cut,
      underWay: received - answered - failed - left - cut,
    };
  }
}
