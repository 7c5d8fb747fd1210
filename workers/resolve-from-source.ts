// While Pawl runs from its own sources, lets a project's `import … from 'pawl'` reach them. The built package needs none of it.

import { readFileSync } from 'node:fs';
import { register } from 'node:module';
import { z } from 'zod';

const manifest = z.object({ exports: z.record(z.string(), z.string()) });

/** Specifier → source file, by the exports map. */
function sources(): Record<string, string> {
  const root = new URL('../', import.meta.url);
  const { exports } = manifest.parse(JSON.parse(readFileSync(new URL('package.json', root), 'utf8')));
  return Object.fromEntries(
    Object.entries(exports)
      .filter(([, built]) => built.startsWith('./dist/'))
      .map(([name, built]) => [
        name.replace(/^\./, 'pawl'),
        new URL(built.replace(/^\.\/dist\//, './').replace(/\.js$/, '.ts'), root).href,
      ]),
  );
}

/** For the whole process, and for all that it imports from now on. */
export function resolveFromSource(): void {
  const hook = `const sources = ${JSON.stringify(sources())};
export const resolve = (specifier, context, next) => next(sources[specifier] ?? specifier, context);`;
  register(`data:text/javascript,${encodeURIComponent(hook)}`);
}
