// `pawl init`: writes a small project that runs as it stands.

import type { Command } from 'commander';
import { relative, resolve } from 'node:path';
import { complete } from '../action.js';

export function initCommand(program: Command): void {
  const command = program
    .command('init')
    .summary('write a small project')
    .description(
      'Writes a small project that runs as it stands: a model’s file with a trainer of its own, a task and a pipeline that make its data, a test.',
    )
    .argument('[folder]', 'where; this folder unless given', '.');
  complete<object>(
    command,
    [
      ['pawl init my-models', 'into a new folder'],
      ['pawl init', 'into this one; files that are there are never written over'],
    ],
    async ({ args: [folder = '.'], options, output }) => {
      const [{ writeProject }, { installLines, packageSource }] = await Promise.all([
        import('../../deploy/templates/write-project.js'),
        import('../../deploy/templates/package-source.js'),
      ]);
      const { cwd = '.' } = options as { cwd?: string };
      const target = resolve(cwd, folder);
      const source = packageSource();
      const files = await writeProject(target, source);
      const { style } = output;
      const here = relative(process.cwd(), target);
      const install = installLines(source);
      output.answer({ folder: target, files, install }, [
        ...files.map((file) => `  ${style.green('+')} ${file}`),
        '',
        'Next:',
        ...(here === '' ? [] : [`  cd ${here}`]),
        ...install.map((line) => `  ${line}`),
        '  npx pawl dev',
        style.dim('and in another terminal:'),
        '  npx pawl run sample-data --wait',
        '  npx pawl run model-lifecycle --param model=intent-router --watch',
      ]);
    },
  );
}
