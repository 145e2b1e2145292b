// What node-postgres does: simple and extended queries, named statements, a pool, types, errors. Reads a target, prints JSON.
const { Client, Pool } = require("pg");
const fs = require("fs");

async function main(target) {
  const ssl = target.ca ? { ca: target.ca, servername: target.host } : false;
  const settings = { ...target, ssl };
  delete settings.ca;
  const seen = {};
  const client = new Client({ ...settings, application_name: "a crew" });
  await client.connect();
  seen.simple = (await client.query("SELECT id, total, placed::text FROM orders WHERE id < 5 ORDER BY id")).rows;
  seen.extended = (await client.query("SELECT id, note FROM orders WHERE id = $1 OR note = $2", [3, "note 6"])).rows;
  for (const id of [1, 2, 3]) {
    seen[`named${id}`] = (await client.query({ name: "one", text: "SELECT total FROM orders WHERE id = $1", values: [id] })).rows;
  }
  seen.array = (await client.query({ text: "SELECT 1 AS a, 2 AS a", rowMode: "array" })).rows;
  seen.kinds = (await client.query("SELECT b, i2, i4, i8, f8, n, t, v, by, j, jb, ar, ta, ip, iv FROM kinds ORDER BY id")).rows;
  seen.binary = (await client.query({ text: "SELECT i4, b, t FROM kinds WHERE id = $1", values: [1], binary: true })).rows;
  seen.several = (await client.query("SELECT 1 AS x; SELECT 2 AS y")).map((result) => result.rows);
  seen.fields = (await client.query("SELECT id, total FROM orders LIMIT 0")).fields.map((field) => [field.name, field.dataTypeID]);
  await client.query("BEGIN");
  seen.error = await client.query("SELECT $1::int / 0", [1]).catch((error) => [error.code, error.message]);
  seen.aborted = await client.query("SELECT 1").catch((error) => error.code);
  await client.query("ROLLBACK");
  seen.empty = (await client.query("")).rows;
  seen.parallel = await Promise.all([1, 2, 3].map((id) => client.query("SELECT $1::int * 2 AS n", [id]).then((r) => r.rows[0].n)));
  await client.end();
  const pool = new Pool({ ...settings, max: 3 });
  seen.pool = await Promise.all([...Array(9).keys()].map((n) => pool.query("SELECT count(*) FROM orders WHERE customer_id = $1", [(n % 5) + 1]).then((r) => r.rows[0].count)));
  await pool.end();
  process.stdout.write(JSON.stringify(seen));
}

main(JSON.parse(fs.readFileSync(0, "utf8"))).catch((error) => {
  process.stderr.write(String(error.stack));
  process.exit(1);
});
