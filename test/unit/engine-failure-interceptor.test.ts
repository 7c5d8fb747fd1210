import { ApplicationFailure } from '@temporalio/common';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { SystemError, failures, type FailureType } from '../../dag/failures.js';
import { toApplicationFailure } from '../../workers/failure-interceptor.js';

describe('what an activity throws', () => {
  it.each(Object.keys(failures) as FailureType[])('keeps its type, message and details: %s', (type) => {
    const failure = toApplicationFailure(new SystemError(type, 'the lake is away', { details: { lake: 'north' } }));
    expect(failure).toMatchObject({ type, message: 'the lake is away', details: [{ lake: 'north' }] });
    const retried = failures[type].retryable && type !== 'TaskContractMissing';
    expect(failure.nonRetryable).toBe(!retried);
  });

  it('is retried or not as the system says that knows better', () => {
    const failure = toApplicationFailure(new SystemError('Unavailable', 'not implemented', { retryable: false }));
    expect(failure.nonRetryable).toBe(true);
  });

  it('keeps where it was thrown', () => {
    const error = new SystemError('NotFound', 'no such bucket');
    expect(toApplicationFailure(error).stack).toBe(error.stack);
  });

  it('is wrong input with every problem where a schema refused it', () => {
    const parsed = z.object({ rows: z.number(), name: z.string() }).safeParse({ rows: 'x' });
    const failure = toApplicationFailure(parsed.error);
    expect(failure).toMatchObject({ type: 'InvalidInput', nonRetryable: true });
    expect(failure.message).toMatch(/rows: .*; name: /);
  });

  it('is tried again where no type describes it', () => {
    expect(toApplicationFailure(new TypeError('x is not a function'))).toMatchObject({
      type: 'TaskFailed',
      message: 'x is not a function',
      nonRetryable: false,
    });
    expect(toApplicationFailure('oh').message).toBe('something that is no Error was thrown: oh');
  });

  it('is left alone where it is Temporal’s own already', () => {
    const failure = ApplicationFailure.retryable('later', 'Mine');
    expect(toApplicationFailure(failure)).toBe(failure);
  });
});
