// What `pawl doctor` found about one thing.

import { tell } from '../exit-codes.js';

export interface Finding {
  /** `Temporal`, `S3`, `compute gpu`, … */
  readonly system: string;
  /** `away`: it does not answer · `wrong`: it answers, and something must be put right · `hint`: it works, and could do better. */
  readonly state: 'good' | 'hint' | 'wrong' | 'away';
  /** One sentence, with what to type where there is something to do. */
  readonly explanation: string;
}

/** The findings of a check, or one that says why it could not be made. */
export async function findingsOf(system: string, check: () => Promise<Finding[]>): Promise<Finding[]> {
  try {
    return await check();
  } catch (error) {
    const { message, exitCode } = tell(error);
    return [{ system, state: exitCode === 3 ? 'away' : 'wrong', explanation: message }];
  }
}
