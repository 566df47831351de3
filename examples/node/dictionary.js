// A dictionary that is asked for meanings instead of words, and recommends words for others.
//
// The texts, with their embeddings, are those of ../../demo. The connection is that of the usual environment variables:
// PGHOST, PGDATABASE, PGUSER and so on.

import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import pg from "pg";

const COLLECTION = "example_dictionary"; // one of that name is deleted
const BATCH = 1000; // documents in a statement

const demo = (name) => readFileSync(new URL(`../../demo/${name}`, import.meta.url));
const rows = (text) => text.trimEnd().split("\n").map((line) => line.split("\t"));

// Vectors are parameters as text, "[1,2,3]": here they come so from the file.
const sentences = new Map(rows(demo("queries.tsv").toString()));
const documents = rows(gunzipSync(demo("documents.tsv.gz")).toString()).map(([id, content, metadata, embedding]) => ({
  id,
  content,
  embedding: JSON.parse(embedding),
  metadata: { ...JSON.parse(metadata), words: content.split(" ").length },
}));

const client = new pg.Client();

/** The rows of a statement. Objects become JSON; arrays would become PostgreSQL's arrays, so JSON's are made by hand. */
const query = async (text, ...values) => (await client.query(text, values)).rows;

/** The only value of a statement's only row. */
const value = async (text, ...values) => Object.values((await query(text, ...values))[0])[0];

function show(title, found) {
  console.log(`\n${title}`);
  for (const { score, content } of found) console.log(`  ${score.toFixed(3)}  ${content.slice(0, 90)}`);
}

async function add() {
  await query("SELECT vera.create_collection($1, 384, key_fields => ARRAY['topic', 'words numeric'])", COLLECTION);
  await query("BEGIN"); // all documents or none
  for (let start = 0; start < documents.length; start += BATCH) {
    const batch = documents.slice(start, start + BATCH);
    await query("SELECT vera.add_documents($1, $2)", COLLECTION, JSON.stringify(batch));
  }
  await query("COMMIT");
  console.log(`${await value("SELECT vera.count($1)", COLLECTION)} documents`);
}

async function search() {
  const sentence = "a hot drink made from roasted beans";
  const find = (filter, k = 3) =>
    query("SELECT * FROM vera.search($1, $2, $3, filter => $4)", COLLECTION, sentences.get(sentence), k, filter);

  show(`“${sentence}”`, await find({}));
  show("… of artifacts", await find({ topic: "artifact" }));
  show(
    "… of at least 20 words, or a word for coffee; food or artifacts",
    await find({
      $and: [
        { topic: { $in: ["food", "artifact"] } },
        { $or: [{ words: { $gte: 20 } }, { lemmas: { $contains: "coffee" } }] },
      ],
    }),
  );
  show(
    "… the same, asked as of Qdrant",
    await find({
      must: [{ key: "topic", match: { any: ["food", "artifact"] } }],
      should: [
        { key: "words", range: { gte: 20 } },
        { key: "lemmas", match: { value: "coffee" } },
      ],
    }),
  );

  console.log("\nThe nearest of each of three topics");
  const groups = await query(
    `SELECT group_value, content, score FROM vera.search_groups($1, $2, 'topic', groups => 3)`,
    COLLECTION,
    sentences.get("a violent storm with strong winds and heavy rain"),
  );
  for (const { group_value: topic, content, score } of groups) {
    console.log(`  ${score.toFixed(3)}  ${topic}: ${content.slice(0, 70)}`);
  }
}

async function recommend() {
  const idOf = async (word) =>
    (await query("SELECT id FROM vera.get_documents($1, filter => $2)", COLLECTION, { lemmas: { $contains: word } }))[0].id;
  const likes = [await idOf("coffee"), await idOf("tea")];
  const dislikes = [await idOf("cappuccino")];

  // What was recommended once is marked, and not recommended again.
  const next = async () => {
    const found = await query(
      "SELECT * FROM vera.recommend($1, $2, $3, k => 3, filter => $4)",
      COLLECTION,
      likes,
      dislikes,
      { topic: "food", seen: { $ne: true } },
    );
    await query("SELECT vera.update_metadata($1, $2, $3)", COLLECTION, found.map(({ id }) => id), { seen: true });
    return found;
  };
  const first = await next();
  show("For who likes coffee and tea, and no cappuccino", first);
  show("… and what else?", await next());
  const [document] = await query("SELECT * FROM vera.get_document($1, $2)", COLLECTION, first[0].id);
  console.log(`\nDocument ${document.id}: ${JSON.stringify(document.metadata)}`);
}

async function transaction() {
  const sentence = "bread with melted cheese";
  const nearest = async () =>
    (await query("SELECT id, content, score FROM vera.search($1, $2, 1)", COLLECTION, sentences.get(sentence)))[0];
  const one = [{ id: "new", content: sentence, embedding: JSON.parse(sentences.get(sentence)) }];

  await query("BEGIN");
  await query("SELECT vera.add_documents($1, $2)", COLLECTION, JSON.stringify(one));
  show(`“${sentence}”, which has just been added`, [await nearest()]);
  await query("ROLLBACK");
  show("… and taken back", [await nearest()]);
}

async function remove() {
  const deleted = await value("SELECT vera.delete_documents($1, filter => $2)", COLLECTION, { topic: "motion" });
  console.log(`\n${deleted} documents about motion deleted, ${await value("SELECT vera.count($1)", COLLECTION)} left`);
}

try {
  await client.connect();
  // From before, if that was interrupted.
  await query("SELECT vera.delete_collection($1, if_exists => true)", COLLECTION);
  await add();
  await search();
  await recommend();
  await transaction();
  await remove();
  await query("SELECT vera.delete_collection($1)", COLLECTION);
} catch (error) {
  // Where a name has several addresses, each may have an error of its own.
  console.error(`error: ${error.message || error.errors?.map(({ message }) => message).join("; ") || error}`);
  process.exitCode = 1;
} finally {
  await client.end();
}
