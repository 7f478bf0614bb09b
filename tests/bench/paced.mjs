// A client at a set pace, beside clients that do nothing: node paced.mjs URL REQUESTS_A_SECOND SECONDS IDLE_CONNECTIONS
// Prints "p50_in_ms p99_in_ms failed asked". A request is late from the moment it was due, however long it had to wait for a connection.
import http from 'node:http';
import net from 'node:net';

const [target, rate, seconds, idle] = [process.argv[2], ...process.argv.slice(3).map(Number)];
const url = new URL(target);

// Each asks once, so that it is a kept connection and not one that never spoke.
function idleConnection() {
  return new Promise((resolve, reject) => {
    const socket = net.connect(Number(url.port), url.hostname, () => socket.write(`GET ${url.pathname} HTTP/1.1\r\nHost: ${url.host}\r\n\r\n`));
    socket.once('data', () => resolve(socket));
    socket.once('error', reject);
  });
}
const others = [];
for (let i = 0; i < idle; i += 1) others.push(await idleConnection());

const agent = new http.Agent({ keepAlive: true, maxSockets: 16 });
const times = [];
let failed = 0;
function ask(due) {
  return new Promise((resolve) => {
    const request = http.get({ agent, hostname: url.hostname, port: url.port, path: url.pathname, headers: { Connection: 'keep-alive' } }, (answer) => {
      if (answer.statusCode !== 200) failed += 1;
      answer.resume();
      answer.on('end', () => {
        times.push(performance.now() - due);
        resolve();
      });
    });
    request.on('error', () => {
      failed += 1;
      resolve();
    });
  });
}

const begun = performance.now();
const total = rate * seconds;
const asked = [];
while (asked.length < total) {
  const due = Math.min(total, Math.floor(((performance.now() - begun) * rate) / 1000) + 1);
  while (asked.length < due) asked.push(ask(begun + (asked.length * 1000) / rate));
  await new Promise((resolve) => setTimeout(resolve, 1));
}
await Promise.all(asked);
const broken = others.filter((socket) => socket.destroyed).length;
times.sort((a, b) => a - b);
console.log(times[Math.floor(times.length / 2)].toFixed(3), times[Math.floor(times.length * 0.99)].toFixed(3), failed + broken, total);
process.exit(0);
