import { describe, expect, test } from 'vitest';
import { nameProblem } from '../../../dag/names.js';
import * as bundle from '../../../workflows/index.js';

describe('names of DAGs and tasks', () => {
  // The default export stands for every name that no other export has.
  test.each(Object.keys(bundle).filter((name) => name !== 'default'))(
    'the workflow %s of the bundle is not hidden by one',
    (name) => {
      expect(nameProblem('DAG', name)).toBe('a workflow of Pawl itself has it');
      expect(nameProblem('task', name)).toBe('a workflow of Pawl itself has it');
      expect(nameProblem('step', name)).toBeUndefined();
    },
  );
});
