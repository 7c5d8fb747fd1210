// The stages as plain activities: input and output checked by the same schemas, the record written by the same code.

import type { z } from 'zod';
import { writeRunRecord, type RunRecordAnswer, type RunRecordWrite } from '../../activities/engine/run-record.js';
import type { ObjectStore } from '../../systems/object-store/port.js';
import { stages, type Stages } from './tasks.js';

type StageActivities = {
  [Name in keyof Stages]: (input: z.input<Stages[Name]['input']>) => Promise<z.output<Stages[Name]['output']>>;
};
export type ByHandActivities = StageActivities & { writeRunRecord(write: RunRecordWrite): Promise<RunRecordAnswer> };

interface AnyStage {
  readonly input: z.ZodType;
  readonly output: z.ZodType;
  run(input: unknown): unknown;
}

export function byHandActivities(objects: ObjectStore): ByHandActivities {
  const checked = Object.entries(stages as unknown as Record<string, AnyStage>).map(([name, stage]) => [
    name,
    async (input: unknown): Promise<unknown> => stage.output.parse(stage.run(stage.input.parse(input))),
  ]);
  return {
    ...(Object.fromEntries(checked) as StageActivities),
    writeRunRecord: (write) => writeRunRecord(objects, write),
  };
}
