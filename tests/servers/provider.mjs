// An OpenID provider (npm oidc-provider) for tests: `node provider.mjs PORT`. It must never serve but on loopback.
// Clients get access tokens (JWT) by client credentials; POST /rotate makes new keys: the old ones are forgotten.
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';

import Provider from 'oidc-provider';

const port = Number(process.argv[2]);
const issuer = `http://127.0.0.1:${port}`;
const MAKE = {
  RS256: () => generateKeyPairSync('rsa', { modulusLength: 2048 }),
  ES256: () => generateKeyPairSync('ec', { namedCurve: 'P-256' }),
};

// client -> what its tokens say beside what all do; seconds: how long they are good for
const CLIENTS = {
  reporter: { groups: ['readers'] },
  nobody: { groups: ['visitors'] },
  administrator: { groups: ['admins'] },
  ungrouped: {},
  crowded: { _claim_names: { groups: 'src1' } },
  brief: { groups: ['readers'], seconds: 5 },
  curved: { groups: ['readers'], algorithm: 'ES256' },
};
const PEOPLE = { groups: ['readers'] };
let requests = 0;

function provider() {
  const keys = Object.entries(MAKE).map(([alg, make]) => ({
    ...make().privateKey.export({ format: 'jwk' }), alg, use: 'sig', kid: randomBytes(6).toString('hex'),
  }));
  const made = new Provider(issuer, {
    clients: [
      ...Object.keys(CLIENTS).map((client_id) => ({
        client_id, client_secret: `${client_id}-secret`, grant_types: ['client_credentials'],
        redirect_uris: [], response_types: [],
      })),
      // a public client, as people have it on their machines
      {
        client_id: 'cli', token_endpoint_auth_method: 'none', application_type: 'native', response_types: ['code'],
        grant_types: ['authorization_code', 'urn:ietf:params:oauth:grant-type:device_code'],
        redirect_uris: ['http://127.0.0.1/callback'],
      },
    ],
    jwks: { keys },
    findAccount: (ctx, sub) => ({ accountId: sub, claims: () => ({ sub }) }),
    cookies: { keys: [randomBytes(16).toString('hex')] },
    extraTokenClaims: (ctx, token) => {
      const { seconds, algorithm, ...claims } = CLIENTS[token.clientId] ?? PEOPLE;
      return claims;
    },
    ttl: { ClientCredentials: (ctx, token, client) => CLIENTS[client.clientId].seconds ?? 600 },
    features: {
      devInteractions: { enabled: true },
      deviceFlow: { enabled: true },
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        useGrantedResource: () => true,
        getResourceServerInfo: (ctx, resource, client) => ({
          scope: '', audience: resource.replace('urn:', ''), accessTokenFormat: 'jwt',
          jwt: { sign: { alg: CLIENTS[client.clientId]?.algorithm ?? 'RS256' } },
        }),
      },
    },
  });
  return made.callback();
}

let answer = provider();
createServer((request, response) => {
  if (request.method === 'POST' && request.url === '/rotate') {
    answer = provider();
    response.end('rotated\n');
  } else if (request.url === '/requests') {
    response.end(String(requests));
  } else {
    requests += request.url.startsWith('/jwks') ? 1 : 0;
    answer(request, response);
  }
}).listen(port, '127.0.0.1');
