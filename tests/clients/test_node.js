// pgvector's npm package with node-postgres, as they are published, on pgvector's types with a veraflat index and on
// vera_vec's types.
//
// Run by run.py, in a directory that has this file and node_modules. Prints a line for each check.

import { deepStrictEqual } from "node:assert";
import pg from "pg";
import pgvector from "pgvector/pg";

const DIM = 16;
const ROWS = 500;
const TENANT = 3;
const LIMIT = 10;
const OPERATOR_CLASSES = {
  vector: "vector_cosine_ops",
  halfvec: "halfvec_cosine_ops",
  veravec: "veravec_ops",
  verahalfvec: "verahalfvec_ops",
};
const INDEX = "SET enable_seqscan = off; SET enable_sort = off; SET enable_bitmapscan = off; SET enable_indexscan = on";
const SEQUENTIAL = "SET enable_seqscan = on; SET enable_sort = on; SET enable_indexscan = off";

// Numbers that half precision has as well, so that every column holds the same vectors.
let state = 1;
function number() {
  state = (Math.imul(state, 1103515245) + 12345) >>> 0;
  return ((state >>> 16) % 1001) / 64 - 8;
}
const vector = () => Array.from({ length: DIM }, number);
const vectors = Array.from({ length: ROWS }, vector);
const query = vector();
const tenant = (row) => row % 5;

const sum = (a, b, term) => a.reduce((total, x, i) => total + term(x, b[i]), 0);
const product = (a, b) => sum(a, b, (x, y) => x * y);
const DISTANCES = {
  "<->": (a, b) => Math.sqrt(sum(a, b, (x, y) => (x - y) ** 2)),
  "<#>": (a, b) => -product(a, b),
  "<=>": (a, b) => 1 - product(a, b) / Math.sqrt(product(a, a) * product(b, b)),
  "<+>": (a, b) => sum(a, b, (x, y) => Math.abs(x - y)),
};

function nearest(operator) {
  const distance = (row) => DISTANCES[operator](vectors[row], query);
  const rows = [...vectors.keys()].filter((row) => tenant(row) === TENANT);
  return rows.sort((a, b) => distance(a) - distance(b)).slice(0, LIMIT);
}

async function check(what, attempt) {
  try {
    await attempt();
    console.log(`ok: ${what}`);
  } catch (error) {
    console.log(`FAILED: ${what}\n    ${error.stack.replaceAll("\n", "\n    ")}`);
  }
}

/** Makes the client give these types as arrays, as pgvector.registerTypes does for pgvector's. */
async function registerVeravec(client) {
  const { rows } = await client.query("SELECT 'veravec'::regtype::oid, 'verahalfvec'::regtype::oid AS half");
  client.setTypeParser(rows[0].oid, "text", JSON.parse);
  client.setTypeParser(rows[0].half, "text", JSON.parse);
}

async function test(client, kind) {
  const table = `node_${kind}`;
  await client.query(`CREATE TABLE ${table} (id integer, tenant integer, embedding ${kind}(${DIM}))`);
  for (const [row, embedding] of vectors.entries()) {
    await client.query(`INSERT INTO ${table} VALUES ($1, $2, $3)`, [row, tenant(row), pgvector.toSql(embedding)]);
  }
  await check(`node, ${kind}: values`, async () => {
    const { rows } = await client.query(`SELECT embedding FROM ${table} ORDER BY id`);
    deepStrictEqual(rows.map((row) => row.embedding), vectors);
  });
  await client.query(`CREATE INDEX ON ${table} USING veraflat (embedding ${OPERATOR_CLASSES[kind]}, tenant)`);
  await client.query(`CREATE INDEX ON ${table} USING veraflat (embedding ${kind}_l1_ops)`);
  for (const operator of Object.keys(DISTANCES)) {
    const sql = `SELECT id FROM ${table} WHERE tenant = $2 ORDER BY embedding ${operator} $1 LIMIT ${LIMIT}`;
    const column = async (text) => {
      const { rows } = await client.query({ text, values: [pgvector.toSql(query), TENANT], rowMode: "array" });
      return rows.map(([first]) => first);
    };
    await check(`node, ${kind}: ${operator} by index and without`, async () => {
      for (const [settings, scan] of [[INDEX, "Index Scan using"], [SEQUENTIAL, "Seq Scan"]]) {
        await client.query(settings);
        const plan = (await column(`EXPLAIN ${sql}`)).join("\n");
        deepStrictEqual(plan.includes(scan) && scan, scan, plan);
        deepStrictEqual(await column(sql), nearest(operator));
      }
    });
  }
}

const client = new pg.Client();
await client.connect();
const known = Object.keys(OPERATOR_CLASSES);
const { rows } = await client.query("SELECT typname FROM pg_type WHERE typname = ANY($1)", [known]);
const kinds = rows.map((row) => row.typname);
if (kinds.includes("vector")) await pgvector.registerTypes(client);
await registerVeravec(client);
for (const kind of kinds) await test(client, kind);
await client.end();
