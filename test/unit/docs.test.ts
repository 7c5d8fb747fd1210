// What the docs say is true: links lead somewhere, commands and their options exist, code compiles.

import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import ts from 'typescript';
import { afterAll, describe, expect, test } from 'vitest';
import { createProgram } from '../../cli/program.js';
import { triggerRules } from '../../dag/graph.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const markdownIn = (folder: string): string[] =>
  existsSync(join(root, folder))
    ? readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
        .filter((file) => file.endsWith('.md') && !file.includes('node_modules') && !file.includes('.pawl'))
        .map((file) => join(folder, file))
    : [];
const documents = [
  ...readdirSync(root).filter((file) => file.endsWith('.md')),
  ...markdownIn('docs'),
  ...markdownIn('examples'),
];
const read = (file: string): string => readFileSync(join(root, file), 'utf8');
const blocks = (text: string, language: string): string[] =>
  [...text.matchAll(/```(\w+)\n([\s\S]*?)```/g)].flatMap(([, name, body]) => (name === language ? [body!] : []));

describe.each(documents)('%s', (file) => {
  const text = read(file);

  test('links to files that exist', () => {
    const links = [...text.matchAll(/\]\((?!https?:|#)([^)#\s]+)/g)].map(([, link]) => link!);
    expect(links.filter((link) => !existsSync(join(root, dirname(file), link)))).toEqual([]);
  });

  test('names commands of pawl that exist, with options that they take', () => {
    const lines = [
      ...[...blocks(text, 'sh'), ...blocks(text, 'bash')].flatMap((block) => block.split('\n')),
      ...[...text.matchAll(/`((?:npx )?pawl [^`]+)`/g)].map(([, line]) => line!),
    ];
    const commands = lines.flatMap((line) =>
      // Also within "$(…)".
      [...line.matchAll(/(?:^|\s)(?:npx )?pawl ([a-z][^#;&]*)/g)].map(([, rest]) => rest!.replace(/\)".*/, '').trim()),
    );
    expect(commands.map(problemOf).filter((problem) => problem !== undefined)).toEqual([]);
  });

  test('runs scripts that package.json has, or that of a new project', () => {
    const scripts = ['package.json', 'deploy/templates/project/package.json.txt'].reduce(
      (all, path) => ({ ...all, ...(JSON.parse(read(path)) as { scripts: object }).scripts }),
      {},
    );
    const named = [...text.matchAll(/npm run ([\w:-]+)/g)].map(([, name]) => name!);
    expect(named.filter((name) => !(name in scripts))).toEqual([]);
  });
});

test('every incident is rehearsed by a test that is there', () => {
  const rehearsals = read('docs/incidents.md')
    .split(/^## /m)
    .slice(1)
    .map((incident) => incident.slice(incident.lastIndexOf('Rehearsed')));
  expect(rehearsals.length).toBe(8);
  for (const rehearsal of rehearsals) {
    const named = [...rehearsal.matchAll(/`(test\/[^`]+)`(?:, "([^"]+)")?/g)];
    expect(named.length, rehearsal).toBeGreaterThan(0);
    for (const [, file = '', phrase = ''] of named) expect(read(file)).toContain(phrase);
  }
});

test('the page on pipelines tells every trigger rule, and no other', () => {
  const [, section = ''] = read('docs/pipelines.md').split('## Trigger rules');
  const told = [...section.split('## ')[0]!.matchAll(/^\| `(\w+)` /gm)].map(([, name]) => name!);
  expect(told.filter((name) => name !== 'triggerRule')).toEqual(triggerRules);
});

/** Words of a shell line; what stands in quotes is one. */
const wordsOf = (line: string): string[] => line.match(/'[^']*'|"[^"]*"|\S+/g) ?? [];

function problemOf(line: string): string | undefined {
  const words = wordsOf(line);
  let command: Command = createProgram();
  while (words.length > 0) {
    // `promote|pause|resume|abort` stands for each of them.
    const next = command.commands.find((each) => words[0]!.split('|').includes(each.name()));
    if (next === undefined) break;
    command = next;
    words.shift();
  }
  if (command.parent === null) return `pawl ${line}: no such command`;
  const unknown = words
    .filter((word) => /^--?[a-z]/.test(word))
    .map((word) => word.split('=')[0]!)
    .filter(
      (flag) =>
        flag !== '--help' &&
        !command.options.some(
          ({ long, short }) => long === flag || short === flag || long === flag.replace('--no-', '--'),
        ),
    );
  return unknown.length === 0 ? undefined : `pawl ${line}: no option ${unknown.join(', ')}`;
}

describe('code in the docs', () => {
  const folder = join(root, 'node_modules/.cache/pawl-docs');
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test('compiles against the package’s own types', () => {
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    const files = documents.flatMap((file, place) =>
      blocks(read(file), 'ts').map((code, index) => {
        const path = join(folder, `${place}-${index}.ts`);
        writeFileSync(path, code);
        return path;
      }),
    );
    expect(files.length).toBeGreaterThan(2);
    const { config } = ts.readConfigFile(join(root, 'tsconfig.json'), (path) => ts.sys.readFile(path)) as {
      config: { compilerOptions: object };
    };
    const { options } = ts.convertCompilerOptionsFromJson(
      {
        ...config.compilerOptions,
        incremental: false,
        tsBuildInfoFile: undefined,
        noUnusedLocals: false,
      },
      root,
    );
    const program = ts.createProgram(files, options);
    const problems = files.flatMap((path) => {
      const source = program.getSourceFile(path)!;
      return [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)].map(
        ({ messageText }) => `${source.text.slice(0, 60)}…: ${ts.flattenDiagnosticMessageText(messageText, '\n')}`,
      );
    });
    expect(problems).toEqual([]);
  });
});
