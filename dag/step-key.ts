// The idempotency key of a step's effects. Imported by workflow code, so it imports nothing.

/** First run id of the workflow and step, ended by `.0`: the same for every attempt. Fit for an S3 key and a file name. */
export const stepKey = (runId: string, stepId: string): string => `${runId}.${stepId}.0`;
