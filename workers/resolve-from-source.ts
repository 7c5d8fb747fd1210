// While Pawl runs from its own sources, lets a project's `import … from 'pawl'` reach them. The built package needs none of it.

import { readFileSync } from 'node:fs';
import { register } from 'node:module';
import { z } from 'zod';

const root = new URL('../', import.meta.url);
const manifest = z
  .object({ exports: z.record(z.string(), z.union([z.string(), z.record(z.string(), z.string())])).default({}) })
  .parse(JSON.parse(readFileSync(new URL('package.json', root), 'utf8')));

const sources: Record<string, string> = { pawl: new URL('index.ts', root).href };
for (const [name, target] of Object.entries(manifest.exports)) {
  const built = typeof target === 'string' ? target : target['default'];
  if (built?.startsWith('./dist/') === true)
    sources[name.replace(/^\./, 'pawl')] = new URL(
      built.replace(/^\.\/dist\//, './').replace(/\.js$/, '.ts'),
      root,
    ).href;
}

const hook = `const sources = ${JSON.stringify(sources)};
export const resolve = (specifier, context, next) => next(sources[specifier] ?? specifier, context);`;

/** For the whole process, and for all that it imports from now on. */
export const resolveFromSource = (): void => register(`data:text/javascript,${encodeURIComponent(hook)}`);
