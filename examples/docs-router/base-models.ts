// The base models of the demo, built on the spot where no hub is at hand: untrained, with a tokenizer learnt from the documents.

import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startGuardedProcess } from '../../deploy/embedded/child-process.js';
import { packageFile } from '../../deploy/embedded/package-file.js';
import type { Section } from './documents.js';

export interface BaseModel {
  /** `gptj` looks places up in a table as long as its context, and fails on a longer prompt; `llama` works them out. */
  readonly architecture: 'llama' | 'gptj';
  /** Tokens. */
  readonly context: number;
  /** Of its folder. */
  readonly name: string;
}

export interface BuildOptions {
  readonly python: string;
  readonly sections: readonly Section[];
  /** Where the folder is made. */
  readonly folder: string;
  readonly signal: AbortSignal;
}

/** Answers its folder. Throws with what the program said last. */
export async function buildBaseModel(
  { architecture, context, name }: BaseModel,
  { python, sections, folder, signal }: BuildOptions,
): Promise<string> {
  const output = join(folder, name);
  const texts = join(folder, `${name}.txt`);
  await mkdir(folder, { recursive: true });
  await writeFile(texts, sections.map(({ text }) => text).join('\n'));
  const size = [
    '--vocabulary',
    '4096',
    '--hidden',
    '128',
    '--layers',
    '2',
    '--spread',
    '0.088',
    '--context',
    String(context),
  ];
  const program = await startGuardedProcess({
    command: python,
    args: [packageFile('jobs/make_base_model.py'), output, texts, '--architecture', architecture, ...size],
    env: { ...process.env, OMP_NUM_THREADS: '1', PYTHONDONTWRITEBYTECODE: '1' },
  });
  const stop = (): void => void program.stop();
  signal.addEventListener('abort', stop);
  const ending = await program.waitUntilEnded();
  signal.removeEventListener('abort', stop);
  signal.throwIfAborted();
  if (ending !== 'exit code 0') {
    const said = (await program.tail()).trim().split('\n').at(-1) ?? '';
    throw new Error(`the base model ${name} was not built (${ending}): ${said}`);
  }
  return output;
}
