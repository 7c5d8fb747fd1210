import { defineConfig } from 'eslint/config';
import tseslint from 'typescript-eslint';

// Who may import whom at run time (docs/architecture.md). Types of ports may be imported anywhere.

/** For each room: the other rooms, or files of theirs, that it may import. Those that are not here may import everything. */
const rooms = {
  stats: [],
  dag: [],
  systems: ['dag/failures', 'dag/digest'],
  gateway: ['systems', 'dag/failures'],
  activities: ['dag', 'stats', 'systems/object-store/keys', 'systems/object-store/json-object', 'systems/endpoint'],
  pipelines: ['dag', 'stats', 'activities'],
  client: ['dag'],
  // Bundled into Temporal's sandbox: nothing of Node's, nothing heavy, no user code.
  workflows: [
    ...['failures', 'graph', 'planner', 'resolve', 'rollout-id', 'status-text', 'step-key', 'trigger-rule'].map(
      (file) => `dag/${file}`,
    ),
    'stats',
    'systems/endpoint/revocations',
  ],
};

/** What each kind of system may import of another: the registry, the endpoints and the serving records lie on an object store. */
const onObjectStore = ['object-store/json-object', 'object-store/keys', 'object-store/list-folder'];
const kinds = {
  compute: [],
  endpoint: onObjectStore,
  metrics: ['serving/http-router'],
  'object-store': [],
  registry: onObjectStore,
  serving: onObjectStore,
};

const allRooms = [
  ...Object.keys(rooms),
  ...['workers', 'cli', 'deploy', 'exports', 'testing', 'examples', 'scripts', 'test', 'bench', 'index'],
];

/** Packages a room may import; Node's own modules count as one, and rooms that are not here may import any. */
const packages = {
  stats: { pattern: '^[^.]', said: 'nothing' },
  dag: { pattern: '^(?!\\.|zod$|node:)', said: 'zod and Node' },
  workflows: { pattern: '^(?!\\.|@temporalio/(workflow|common)$)', said: '@temporalio/workflow and common' },
};

const escape = (path) => path.replaceAll('/', '\\/');

/** Forbids `names` below `prefix`, but for the paths of `allowed`. */
const forbid = (prefix, names, allowed, message) =>
  names
    .filter((name) => !allowed.includes(name))
    .map((name) => {
      const open = allowed.filter((path) => path.startsWith(`${name}/`));
      const except = open.map((path) => `(?!${escape(path.slice(name.length))}[./])`).join('');
      return { regex: `^${prefix}${name}${except}[./]`, allowTypeImports: true, message };
    });

const roomPatterns = (room, allowed) => [
  ...forbid(
    '(\\.\\./)+',
    allRooms.filter((other) => other !== room),
    allowed,
    `${room}/ may import ${allowed.length === 0 ? 'nothing' : `only ${allowed.join(', ')}`} beside its own files.`,
  ),
  ...(packages[room] === undefined
    ? []
    : [
        {
          regex: packages[room].pattern,
          allowTypeImports: true,
          message: `Of packages ${room}/ may import ${packages[room].said}.`,
        },
      ]),
];

const importRule = (files, patterns) => ({
  files,
  rules: { '@typescript-eslint/no-restricted-imports': ['error', { patterns }] },
});

const importRules = [
  ...Object.entries(rooms).map(([room, allowed]) => importRule([`${room}/**/*.ts`], roomPatterns(room, allowed))),
  ...Object.entries(kinds).map(([kind, allowed]) =>
    importRule(
      [`systems/${kind}/**/*.ts`],
      [
        ...roomPatterns('systems', rooms.systems),
        ...forbid(
          '\\.\\./',
          Object.keys(kinds).filter((other) => other !== kind),
          allowed,
          `systems/${kind}/ may import ${allowed.length === 0 ? 'only types' : `only types and ${allowed.join(', ')}`} of other systems.`,
        ),
      ],
    ),
  ),
  // What workflow code imports of dag/ has to be as pure as itself.
  importRule(
    rooms.workflows.filter((path) => path.startsWith('dag/')).map((path) => `${path}.ts`),
    [
      ...roomPatterns('dag', rooms.dag),
      {
        regex: `^(?!\\./(${rooms.workflows.map((path) => path.replace('dag/', '')).join('|')})\\.js$)`,
        allowTypeImports: true,
        message: 'This file is bundled into the workflows: it may import only those of dag/ that are, too.',
      },
    ],
  ),
];

export default defineConfig(
  { ignores: ['dist/', 'node_modules/', '**/*.js', '!eslint.config.js', 'test/replay/histories/'] },
  ...tseslint.configs.recommendedTypeChecked,
  {
    languageOptions: {
      parserOptions: {
        projectService: { allowDefaultProject: ['eslint.config.js'] },
        tsconfigRootDir: import.meta.dirname,
      },
    },
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/consistent-type-imports': ['error', { disallowTypeAnnotations: false }],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      '@typescript-eslint/require-await': 'off',
      '@typescript-eslint/no-empty-function': 'off',
      'max-params': ['error', 4],
    },
  },
  ...importRules,
  {
    files: ['test/**/*.ts', 'bench/**/*.ts'],
    rules: {
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
    },
  },
  // Plain programs of examples.
  { files: ['**/*.mjs'], rules: { 'max-params': 'off' } },
  // In no project of the compiler: these programs, and what only compiles against the packed package.
  {
    files: ['eslint.config.js', '**/*.mjs', 'test/package/project/**/*.ts'],
    ...tseslint.configs.disableTypeChecked,
  },
);
