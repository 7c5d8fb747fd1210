// docs/settings.md names every setting with its default, and nothing that does not exist.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { modelFile } from '../../activities/schemas/model-settings.js';
import { deploymentSettings } from '../../workers/settings.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const page = readFileSync(join(root, 'docs/settings.md'), 'utf8');
const [ofModel = '', ofConfig = '', ofVariables = ''] = page.split(/^## /m).slice(1);

interface Schema {
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: Schema | boolean;
  readonly required?: readonly string[];
  readonly default?: unknown;
}

/** Path → default, as the page writes it; of what stands in a form of its own (rules are made by functions) only the whole. */
function settingsOf(schema: Schema, path = '', found = new Map<string, string>()): Map<string, string> {
  for (const one of schema.anyOf ?? schema.oneOf ?? []) settingsOf(one, path, found);
  if (schema.items !== undefined) settingsOf(schema.items, `${path}[]`, found);
  if (typeof schema.additionalProperties === 'object') settingsOf(schema.additionalProperties, `${path}.*`, found);
  for (const [name, inner] of Object.entries(schema.properties ?? {})) {
    const own = path === '' ? name : `${path}.${name}`;
    const before = found.size;
    if (!madeByFunctions.has(own)) settingsOf(inner, own, found);
    if (found.size > before && !madeByFunctions.has(own)) continue;
    const byDefault = inner.default === undefined ? '' : JSON.stringify(inner.default);
    if (!found.has(own)) found.set(own, schema.required?.includes(name) === true ? 'required' : byDefault);
  }
  return found;
}
const madeByFunctions = new Set(['gate', 'rollout.rules', 'train.recipe.kind']);

const rowsOf = (part: string): Map<string, string> =>
  new Map(
    [...part.matchAll(/^\| `([^`]+)` +\| (`[^`]*`|required)? *\|/gm)].map(([, name, given = '']) => [
      name!,
      given.replaceAll('`', ''),
    ]),
  );

const asJson = (schema: z.ZodType): Schema =>
  z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any', reused: 'inline' }) as Schema;

describe('the page of settings', () => {
  test.each([
    ['a model’s file', ofModel, modelFile],
    ['pawl.config.ts', ofConfig, deploymentSettings],
  ])('names every field of %s with its default', (_what, part, schema) => {
    const settings = settingsOf(asJson(schema));
    settings.delete('train.recipe.kind');
    expect(settings.size).toBeGreaterThan(10);
    expect(Object.fromEntries(rowsOf(part))).toEqual(Object.fromEntries(settings));
  });

  test('names every variable that is read', () => {
    const folders = ['activities', 'cli', 'client', 'deploy', 'gateway', 'jobs', 'systems', 'workers'];
    const read = folders.flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
        .filter((file) => /\.(ts|py)$/.test(file))
        .flatMap((file) => readFileSync(join(root, folder, file), 'utf8').match(/\bPAWL_[A-Z_]*[A-Z]\b/g) ?? []),
    );
    // What Pawl itself hands to the programs that it starts.
    const internal = new Set(['PAWL_JOB', 'PAWL_SPEC']);
    const named = [...ofVariables.matchAll(/^\| `(\w+)`/gm)].map(([, name]) => name!);
    expect(named.sort()).toEqual([...new Set(read)].filter((name) => !internal.has(name)).sort());
  });
});
