import tseslint from 'typescript-eslint';
import importX from 'eslint-plugin-import-x';

/** What each room may import at run time; types of ports may be imported anywhere. DESIGN in docs/architecture.md. */
const rooms = {
  stats: [],
  dag: [],
  systems: ['dag/failures'],
  gateway: ['systems', 'dag/failures'],
  activities: ['dag', 'stats', 'systems/object-store/keys', 'systems/endpoint'],
  pipelines: ['dag', 'stats', 'activities'],
  client: ['dag', 'workers/search-attributes'],
};

const allRooms = [
  'dag',
  'stats',
  'systems',
  'gateway',
  'activities',
  'pipelines',
  'client',
  'workers',
  'workflows',
  'cli',
  'deploy',
  'examples',
  'test',
  'bench',
];

const escape = (path) => path.replaceAll('/', '\\/');

const roomRule = (room, allowed) => ({
  files: [`${room}/**/*.ts`],
  rules: {
    '@typescript-eslint/no-restricted-imports': [
      'error',
      {
        patterns: allRooms
          .filter((other) => other !== room)
          .map((other) => {
            const open = allowed.filter((path) => path === other || path.startsWith(`${other}/`));
            if (open.includes(other)) return undefined;
            const except = open.map((path) => `(?!${escape(path.slice(other.length))}[./])`).join('');
            return {
              regex: `^(\\.\\./)+${other}${except}[./]`,
              allowTypeImports: true,
              message: `${room}/ may import ${allowed.length === 0 ? 'nothing' : `only ${allowed.join(', ')}`} beside its own files.`,
            };
          })
          .filter(Boolean),
      },
    ],
  },
});

export default tseslint.config(
  { ignores: ['dist/', 'node_modules/', '**/*.js', '!eslint.config.js', 'examples/own-program/*.mjs', 'test/replay/histories/'] },
  ...tseslint.configs.recommendedTypeChecked,
  {
    languageOptions: {
      parserOptions: {
        projectService: { allowDefaultProject: ['eslint.config.js'] },
        tsconfigRootDir: import.meta.dirname,
      },
    },
    plugins: { 'import-x': importX },
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/consistent-type-imports': ['error', { disallowTypeAnnotations: false }],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      '@typescript-eslint/require-await': 'off',
      '@typescript-eslint/no-empty-function': 'off',
      'import-x/no-cycle': 'off',
      'max-params': ['error', 4],
    },
  },
  ...Object.entries(rooms).map(([room, allowed]) => roomRule(room, allowed)),
  {
    // Bundled into the sandbox: nothing of Node's, nothing heavy, no user code.
    files: ['workflows/**/*.ts'],
    rules: {
      '@typescript-eslint/no-restricted-imports': [
        'error',
        {
          patterns: [
            { regex: '^(node:|zod|@aws-sdk|pino|undici)', message: 'workflow code runs in a sandbox.' },
            {
              regex: '^(\\.\\./)+dag\\/(?!graph|planner|failures|resolve|trigger-rule|status-text|step-key)',
              allowTypeImports: true,
              message: 'workflows/ may import only the graph, planner and failures files of dag/.',
            },
            {
              regex: '^(\\.\\./)+(activities|systems|gateway|pipelines|client|workers|cli|deploy)[./]',
              allowTypeImports: true,
              message: 'workflows/ may import only types from there.',
            },
          ],
        },
      ],
    },
  },
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
  { files: ['eslint.config.js'], ...tseslint.configs.disableTypeChecked },
);
