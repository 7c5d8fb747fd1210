// The program that Pawl runs on hosts: a folder of Python modules here, and one text where it is sent elsewhere.

import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

// Beside this file in the sources; the built package keeps its Python where the sources have it.
const places = ['supervisor', '../../../systems/compute/supervisor'].map((place) =>
  fileURLToPath(new URL(place, import.meta.url)),
);

/** Python runs a folder that has a `__main__.py`. */
export const supervisorPath = places.find((path) => existsSync(path)) ?? places.join(' or ');

export interface SupervisorSource {
  readonly text: string;
  /** SHA-256 in hex: by it a host knows that it has the program. */
  readonly digest: string;
}

let source: SupervisorSource | undefined;

export function supervisorSource(): SupervisorSource {
  if (source === undefined) {
    const text = asOneProgram(supervisorPath);
    source = { text, digest: createHash('sha256').update(text).digest('hex') };
  }
  return source;
}

/** One file is placed whole or not at all. It brings its modules as texts, which are imported by name as they are from the folder. */
function asOneProgram(folder: string): string {
  const files = readdirSync(folder)
    .filter((name) => name.endsWith('.py'))
    .sort();
  const modules = Object.fromEntries(
    files.map((name) => [name.slice(0, -'.py'.length), readFileSync(join(folder, name), 'utf8')]),
  );
  // A JSON text is a Python text too: it names no character by halves.
  return `import sys
from importlib.machinery import ModuleSpec

MODULES = ${JSON.stringify(modules, undefined, 1)}


class Modules:
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return ModuleSpec(name, cls) if name in MODULES else None

    @staticmethod
    def create_module(spec):
        return None

    @staticmethod
    def exec_module(module):
        run(module.__name__, module.__dict__)


def run(name, names):
    exec(compile(MODULES[name], name + ".py", "exec"), names)


sys.meta_path.insert(0, Modules)
run("__main__", globals())
`;
}
