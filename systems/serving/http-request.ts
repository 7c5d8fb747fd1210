// undici's `request`, loaded with the first one: a worker starts before it has a gateway or a model server to ask.

import type { request as send } from 'undici';

export const request: typeof send = async (url, options) => (await import('undici')).request(url, options);
