// A small pipeline of a newcomer: typed steps, a large output, a thousand steps, and wiring that must not compile.

import {
  dag,
  isTrue,
  model,
  canary,
  errorRate,
  atLeast,
  lora,
  task,
  z,
  type DagOutputOf,
  type TaskContext,
} from 'pawl';

const write = task({
  name: 'write-text',
  version: '1',
  input: z.object({ sizeBytes: z.number().int().positive() }),
  output: z.object({ text: z.string(), big: z.boolean() }),
  run: ({ sizeBytes }, { log }: TaskContext) => {
    log.info({ sizeBytes }, 'writing');
    return { text: 'x'.repeat(sizeBytes), big: sizeBytes > 1_000_000 };
  },
});

const measure = task({
  name: 'measure-text',
  version: '1',
  input: z.object({ text: z.string() }),
  output: z.object({ length: z.number() }),
  run: ({ text }) => ({ length: text.length }),
});

export const textPipeline = dag(
  { name: 'text-pipeline', params: z.object({ sizeBytes: z.number().int().positive() }) },
  ({ params, step }) => {
    const written = step(write, { sizeBytes: params.sizeBytes });
    const measured = step(measure, { text: written.text }, { when: isTrue(written.big) });
    return { length: measured.length, text: written.text };
  },
);

const count = task({
  name: 'count',
  version: '1',
  input: z.object({ from: z.number() }),
  output: z.object({ to: z.number() }),
  run: ({ from }) => ({ to: from + 1 }),
});

const sum = task({
  name: 'sum',
  version: '1',
  input: z.object({ parts: z.array(z.number()) }),
  output: z.object({ total: z.number() }),
  run: ({ parts }) => ({ total: parts.reduce((left, right) => left + right, 0) }),
});

/** 111 columns of nine steps, and one that joins them. */
export const thousandSteps = dag({ name: 'thousand-steps', params: z.object({}) }, ({ step }) => {
  const columns = Array.from({ length: 111 }, (_, column) => {
    let last = step(count, { from: column }, { id: `c${column}-0` });
    for (let row = 1; row < 9; row++) last = step(count, { from: last.to }, { id: `c${column}-${row}` });
    return last.to;
  });
  return step(sum, { parts: columns });
});

/** Never called: what matters is that the compiler refuses it. */
export const miswired = () =>
  dag({ name: 'miswired', params: z.object({ words: z.string() }) }, ({ params, step }) => {
    // @ts-expect-error a text is no number
    const written = step(write, { sizeBytes: params.words });
    // @ts-expect-error a task has no such output
    step(measure, { text: written.words });
  });

/** What a run gives is known to the compiler. */
export const lengthOf = (output: DagOutputOf<typeof textPipeline>): number | null => output.length;

export const supportBot = model({
  name: 'support-bot',
  owner: 'ml-platform',
  data: { source: 's3://lake/tickets/' },
  train: { base: 's3://models/base/', recipe: lora({ rank: 8 }) },
  gate: [atLeast('exactMatch', 0.8)],
  serve: {
    command: ['vllm', 'serve', '{model}', '--port', '{port}'],
    probe: { path: '/v1/completions', bodies: ['{"prompt":"hello"}'] },
  },
  rollout: canary({ weights: [10, 100], rules: [errorRate({ maxIncrease: 0.01 })] }),
});
