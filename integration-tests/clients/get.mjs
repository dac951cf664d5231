// node get.mjs [USER:PASSWORD@]PROXY CA-FILE http1|http2 URL: GETs the URL through the proxy's CONNECT, prints a line of JSON with status
// and headers, then the decoded body.
import { readFileSync, writeSync } from 'node:fs';
import http from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';
import tls from 'node:tls';
import zlib from 'node:zlib';

const [proxy, caFile, version, address] = process.argv.slice(2);
const url = new URL(address);
const { hostname: proxyHost, port: proxyPort, username, password } = new URL(`http://${proxy}`);
const authority = `${url.hostname}:${url.port || 443}`;

const decoders = {
  gzip: zlib.gunzipSync,
  deflate: zlib.inflateSync,
  br: zlib.brotliDecompressSync,
};

function print(status, headers, body) {
  const decode = decoders[headers['content-encoding']];
  const fields = Object.entries(headers).map(([name, value]) => [name, String(value)]);
  const bytes = Buffer.concat([
    Buffer.from(`${JSON.stringify({ status, headers: fields })}\n`),
    decode ? decode(body) : body,
  ]);
  for (let written = 0; written < bytes.length;) written += writeSync(1, bytes, written);
  process.exit(0);
}

function fail(error) {
  console.error(error);
  process.exit(1);
}

function gather(stream, done) {
  const chunks = [];
  stream.on('data', (chunk) => chunks.push(chunk));
  stream.on('end', () => done(Buffer.concat(chunks)));
  stream.on('error', fail);
}

const credential = Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`).toString('base64');
const connect = http.request({
  host: proxyHost,
  port: proxyPort,
  method: 'CONNECT',
  path: authority,
  headers: username ? { 'Proxy-Authorization': `Basic ${credential}` } : {},
});
connect.on('error', fail);
connect.on('response', (answer) => fail(`CONNECT: ${answer.statusCode}`));
connect.on('connect', (answer, socket) => {
  if (answer.statusCode !== 200) fail(`CONNECT: ${answer.statusCode}`);
  const secure = tls.connect({
    socket,
    servername: url.hostname,
    ca: readFileSync(caFile),
    ALPNProtocols: [version === 'http2' ? 'h2' : 'http/1.1'],
  });
  secure.on('error', fail);
  secure.on('secureConnect', () => (version === 'http2' ? overHttp2(secure) : overHttp1(secure)));
});
connect.end();

function overHttp1(socket) {
  const headers = { 'accept-encoding': 'gzip, deflate, br' };
  // Without an agent Node takes 80 for the default port, and puts it into Host.
  const options = { createConnection: () => socket, defaultPort: 443, headers };
  const request = https.get(url, options, (answer) => {
    gather(answer, (body) => print(answer.statusCode, answer.headers, body));
  });
  request.on('error', fail);
}

function overHttp2(socket) {
  const session = http2.connect(url, { createConnection: () => socket });
  session.on('error', fail);
  const stream = session.request({ ':path': url.pathname + url.search, 'accept-encoding': 'br' });
  let head;
  stream.on('response', (headers) => { head = headers; });
  gather(stream, (body) => {
    const { ':status': status, ...headers } = head;
    print(status, headers, body);
  });
}
