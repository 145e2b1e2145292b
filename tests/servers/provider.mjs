// An OpenID provider (npm oidc-provider) for tests: `node provider.mjs PORT`. It must never serve but on loopback.
// Clients get access tokens (JWT) by client credentials; POST /rotate makes new keys: the old ones are forgotten.
// POST /people says who there is, POST /trouble what userinfo does in place of an answer ('' for nothing).
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';

import { createLocalJWKSet, jwtVerify } from 'jose';
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
// person -> what is said of them; who is not there is gone
let people = { ana: { groups: ['readers'] }, ben: { groups: ['readers', 'writers'] } };
let trouble = '';
let requests = 0;
let readings = 0;

// oidc-provider's own userinfo takes no access token of a resource, as others (Keycloak, Okta) do: such a token, where
// it is good, is exchanged for one of the same grant without a resource. Who answers is oidc-provider.
const exchanged = (made, keys) => async (ctx, next) => {
  if (ctx.path === '/me') {
    const { payload } = await jwtVerify(ctx.get('authorization').slice(7), createLocalJWKSet({ keys }), { issuer });
    const token = new made.AccessToken({
      accountId: payload.sub, client: await made.Client.find(payload.client_id), grantId: payload.grant, scope: 'openid',
      gty: 'authorization_code',
    });
    ctx.req.headers.authorization = `Bearer ${await token.save()}`;
  }
  await next();
};

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
        grant_types: ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'],
        redirect_uris: ['http://127.0.0.1/callback'],
      },
      // the gateway's own, for people who come to its pages
      ...['page', 'other'].map((client_id) => ({
        client_id, client_secret: `${client_id}:secret %`, response_types: ['code'], grant_types: ['authorization_code'],
        redirect_uris: ['main', 'other'].map((name) => `https://gateway.example/sign-in/${name}/callback`),
      })),
    ],
    jwks: { keys },
    claims: { openid: ['sub', 'groups'] },
    findAccount: (ctx, sub) => people[sub] && {
      accountId: sub, claims: () => ({ sub, ...people[sub] }),
    },
    cookies: { keys: [randomBytes(16).toString('hex')] },
    extraTokenClaims: (ctx, token) => {
      const { seconds, algorithm, ...claims } = CLIENTS[token.clientId] ?? {
        ...people[token.accountId], grant: token.grantId,
      };
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
  made.use(exchanged(made, keys.map(({ d, p, q, dp, dq, qi, ...open }) => open)));
  return made.callback();
}

const body = async (request) => {
  let text = '';
  for await (const part of request) text += part;
  return text;
};
const TROUBLES = {
  500: (response) => response.writeHead(500).end('{}'),
  302: (response) => response.writeHead(302, { location: `${issuer}/requests` }).end(),
  another: (response) => response.end(JSON.stringify({ sub: 'eve', groups: ['readers'] })),
  silent: () => {},
};

let answer = provider();
createServer(async (request, response) => {
  if (request.method === 'POST' && request.url === '/rotate') {
    answer = provider();
    response.end('rotated\n');
  } else if (request.method === 'POST' && request.url === '/people') {
    people = JSON.parse(await body(request));
    response.end();
  } else if (request.method === 'POST' && request.url === '/trouble') {
    trouble = await body(request);
    response.end();
  } else if (request.url === '/readings') {
    response.end(String(readings));
  } else if (request.url === '/me' && TROUBLES[trouble]) {
    readings += 1;
    TROUBLES[trouble](response);
  } else if (request.url === '/requests') {
    response.end(String(requests));
  } else {
    requests += request.url.startsWith('/jwks') ? 1 : 0;
    readings += request.url === '/me' ? 1 : 0;
    answer(request, response);
  }
}).listen(port, '127.0.0.1');
