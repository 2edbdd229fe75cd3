// A company's OpenID Connect provider: node-oidc-provider, with its own pages for signing in. Who signs in
// is who the person writes into its page; the claims of people come from the command line as JSON.
import { createServer } from 'node:http';
import Provider from 'oidc-provider';

const { port, people, client } = JSON.parse(process.argv[2]);
const server = createServer();
server.listen(port, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${port}`;
  const provider = new Provider(issuer, {
    clients: [client],
    claims: { openid: ['sub'], email: ['email'], profile: ['name', 'preferred_username'], groups: ['groups'] },
    conformIdTokenClaims: false,
    features: { devInteractions: { enabled: true } },
    pkce: { required: () => true },
    findAccount: (_context, id) => ({ accountId: id, claims: () => ({ sub: id, ...people[id] }) }),
    cookies: { keys: ['of this test alone'] },
  });
  server.on('request', provider.callback());
  console.log(issuer);
});
