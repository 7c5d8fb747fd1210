#!/usr/bin/env node
// The `pawl` command.

import { createProgram } from './program.js';

process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] ??= 'true';

await createProgram().parseAsync();
