// A team's own model server: `node serve.mjs MODEL_DIR PORT` answers /health and /v1/completions.

import { createServer } from 'node:http';
import { join } from 'node:path';
import { readModel } from './classifier.mjs';

const [folder, port] = process.argv.slice(2);
const model = readModel(join(folder, 'model.safetensors'));

const server = createServer(async (request, response) => {
  const send = (status, body) =>
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  if (request.url === '/health') return send(200, { status: 'ok' });
  if (request.url !== '/v1/completions' || request.method !== 'POST')
    return send(404, { error: 'only POST /v1/completions' });
  let body = '';
  for await (const chunk of request) body += chunk;
  try {
    const { prompt } = JSON.parse(body);
    if (typeof prompt !== 'string') return send(400, { error: 'prompt must be text' });
    return send(200, {
      object: 'text_completion',
      choices: [{ index: 0, text: model.answer(prompt), finish_reason: 'stop' }],
    });
  } catch {
    return send(400, { error: 'the body is not JSON' });
  }
});
process.on('SIGTERM', () => server.close());
server.listen(Number(port), '127.0.0.1');
