// Pictures by sharp over HTTP, as one would write it oneself: node sharp_server.cjs FOLDER PORT PROCESSES
// GET /NAME?w=WIDTH&format=FORMAT reduces FOLDER/NAME.
'use strict';
const cluster = require('node:cluster');
const http = require('node:http');
const path = require('node:path');

const [folder, port, processes] = process.argv.slice(2);
if (cluster.isPrimary) {
  for (let i = 0; i < Number(processes); i++) cluster.fork();
} else {
  const sharp = require('sharp');
  sharp.concurrency(1);
  sharp.cache(false);
  http
    .createServer(async (request, response) => {
      const asked = new URL(request.url, 'http://localhost');
      const format = asked.searchParams.get('format');
      try {
        const picture = sharp(path.join(folder, path.basename(decodeURIComponent(asked.pathname)))).rotate();
        const bytes = await picture.resize({ width: Number(asked.searchParams.get('w')) })[format]({ quality: 80 }).toBuffer();
        response.writeHead(200, { 'Content-Type': `image/${format}`, 'Content-Length': bytes.length });
        response.end(bytes);
      } catch {
        response.writeHead(404);
        response.end();
      }
    })
    .listen(Number(port), '127.0.0.1');
}
