// While Pawl runs from its own sources, lets a project's `import … from 'pawl'` reach them. The built package needs none of it.

import { readFileSync } from 'node:fs';
import { register } from 'node:module';
import { z } from 'zod';

const manifest = z.object({
  exports: z.record(z.string(), z.union([z.string(), z.record(z.string(), z.string())])),
});

/** What each specifier of the package stands for, by the exports of its package.json. */
function sources(): Record<string, string> {
  const root = new URL('../', import.meta.url);
  const { exports } = manifest.parse(JSON.parse(readFileSync(new URL('package.json', root), 'utf8')));
  const found: Record<string, string> = {};
  for (const [name, target] of Object.entries(exports)) {
    const built = typeof target === 'string' ? target : target['default'];
    const source = built?.replace(/^\.\/dist\//, './').replace(/\.js$/, '.ts');
    if (source !== undefined && source !== built) found[name.replace(/^\./, 'pawl')] = new URL(source, root).href;
  }
  return found;
}

/** For the whole process, and for all that it imports from now on. */
export function resolveFromSource(): void {
  const hook = `const sources = ${JSON.stringify(sources())};
export const resolve = (specifier, context, next) => next(sources[specifier] ?? specifier, context);`;
  register(`data:text/javascript,${encodeURIComponent(hook)}`);
}
