// One query by node-postgres, rows as arrays. Reads a target and the query's text, prints JSON.
const { Client } = require("pg");
const fs = require("fs");

async function main({ text, ca, ...target }) {
  const client = new Client({ ...target, ssl: ca ? { ca, servername: target.host } : false });
  await client.connect();
  const simple = (await client.query({ text, rowMode: "array" })).rows;
  const extended = (await client.query({ name: "one", text, rowMode: "array" })).rows;
  await client.end();
  if (JSON.stringify(simple) !== JSON.stringify(extended)) throw new Error("simple and extended differ");
  process.stdout.write(JSON.stringify(simple));
}

main(JSON.parse(fs.readFileSync(0, "utf8"))).catch((error) => {
  process.stderr.write(String(error.stack));
  process.exit(1);
});
