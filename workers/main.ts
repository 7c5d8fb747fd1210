// A worker as a program: `node workers/main.js [PROJECT] [FILE…]`.

import { workerProcess } from './worker-process.js';

const [root = '.', ...files] = process.argv.slice(2);
await workerProcess(root, files);
