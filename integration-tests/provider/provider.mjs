// A certified OpenID provider with one client and its own pages to sign in: `provider.mjs SECRET`. It says on which port it listens,
// and takes as a line where browsers come back to. Whoever types a name is that person; everybody is in the group `web-platform` but
// `guest`.

import { once } from 'node:events';
import http from 'node:http';
import readline from 'node:readline';
import Provider from 'oidc-provider';

const [secret] = process.argv.slice(2);
const server = http.createServer();
server.listen(0, '127.0.0.1');
await once(server, 'listening');
const { port } = server.address();
console.log(port);

const [redirectUri] = await once(readline.createInterface({ input: process.stdin }), 'line');
const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [{ client_id: 'pinfold', client_secret: secret, redirect_uris: [redirectUri] }],
  claims: { openid: ['sub'], profile: ['preferred_username', 'groups'] },
  // In the identity token, and not at another endpoint alone.
  conformIdTokenClaims: false,
  pkce: { required: () => true },
  findAccount: (_, sub) => ({
    accountId: sub,
    claims: () => ({ sub, preferred_username: sub, groups: [sub === 'guest' ? 'guests' : 'web-platform'] }),
  }),
});
server.on('request', provider.callback());
console.log('ready');
