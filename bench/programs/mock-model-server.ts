// A model server that costs next to nothing: reads requests with a content-length, and answers each with the same small JSON.
// `node mock-model-server.js PORT`. On bare sockets, so that what is measured is what stands in front of it.

import { createServer } from 'node:net';

const port = Number(process.argv[2]);
const body = '{"object":"text_completion","choices":[{"index":0,"text":"It is on its way.","finish_reason":"stop"}]}';
const answer = `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
const lengthPattern = /\r\ncontent-length: *(\d+)/i;

createServer({ noDelay: true }, (socket) => {
  let pending = '';
  socket.setEncoding('latin1');
  socket.on('data', (text: string) => {
    pending += text;
    let answers = '';
    for (;;) {
      const end = pending.indexOf('\r\n\r\n');
      if (end === -1) break;
      const length = Number(lengthPattern.exec(pending.slice(0, end))?.[1] ?? 0);
      if (pending.length < end + 4 + length) break;
      pending = pending.slice(end + 4 + length);
      answers += answer;
    }
    if (answers !== '') socket.write(answers, 'latin1');
  });
  socket.on('error', () => socket.destroy());
}).listen(port, '127.0.0.1', () => console.log('listening'));
