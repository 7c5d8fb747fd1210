// A step of the team's own between two of Pawl's stages: what a reviewer wants to read of a version, as one page in the bucket.

import { evaluationReport, task, verdict, z } from 'pawl';

export const modelCard = task({
  name: 'model-card',
  version: '1',
  input: z.object({ model: z.string(), owner: z.string(), report: evaluationReport, verdict }),
  output: z.object({ uri: z.string() }),
  timeout: '1m',
  run: async ({ model, owner, report, verdict: judged }, { systems, run }) => {
    // Named after the run: another attempt writes the same page once more.
    const key = `cards/${model}/${run.runId}.md`;
    await systems.objects.put(key, cardOf({ model, owner, report, summary: judged.summary }), {
      contentType: 'text/markdown; charset=utf-8',
    });
    return { uri: `s3://${systems.objects.bucketName}/${key}` };
  },
});

interface Card {
  readonly model: string;
  readonly owner: string;
  readonly report: z.infer<typeof evaluationReport>;
  readonly summary: string;
}

const cardOf = ({ model, owner, report, summary }: Card): string =>
  [
    `# ${model}`,
    '',
    `Owner: ${owner}. ${summary}`,
    '',
    '| metric | value | champion | samples |',
    '|---|---|---|---|',
    ...Object.entries(report.metrics).map(
      ([name, { value, samples }]) =>
        `| ${name} | ${value ?? 'none'} | ${report.champion?.metrics[name]?.value ?? 'none'} | ${samples} |`,
    ),
    '',
  ].join('\n');
