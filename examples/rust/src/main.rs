//! Loads a collection by COPY, adds to it, and searches it for many vectors at once and by words and vector together.
//!
//! The texts, with their embeddings, are those of ../../demo. The connection is that of the usual environment variables:
//! PGHOST (which may be the directory of a socket), PGPORT, PGDATABASE, PGUSER and PGPASSWORD.

mod vector;

use flate2::read::GzDecoder;
use serde_json::{Value, json};
use std::env;
use std::error::Error;
use std::fs::{File, read_to_string};
use std::io::{BufRead, BufReader};
use std::iter::successors;
use std::path::Path;
use std::pin::pin;
use std::process::ExitCode;
use std::time::Instant;
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Config, NoTls};
use vector::Vector;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const COLLECTION: &str = "example_encyclopedia"; // one of that name is deleted

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let causes = successors(error.source(), |&cause| cause.source());
            eprintln!("error: {error}{}", causes.map(|cause| format!(": {cause}")).collect::<String>());
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<()> {
    let (client, connection) = config()?.connect(NoTls).await?;
    let connection = tokio::spawn(connection);
    // From before, if that was interrupted.
    client.execute("SELECT vera.delete_collection($1, if_exists => true)", &[&COLLECTION]).await?;
    load(&client).await?;

    let (sentences, vectors) = sentences()?;
    add(&client, &sentences, &vectors).await?;
    search_batch(&client, &sentences, &vectors).await?;
    hybrid_search(&client, &vectors[1]).await?;
    delete(&client).await?;

    client.execute("SELECT vera.delete_collection($1)", &[&COLLECTION]).await?;
    drop(client);
    Ok(connection.await??)
}

fn config() -> Result<Config> {
    let variable = |name, default: &str| env::var(name).unwrap_or_else(|_| default.to_owned());
    let user = variable("PGUSER", &variable("USER", "postgres"));
    let mut config = Config::new();
    config.host(variable("PGHOST", "localhost")).port(variable("PGPORT", "5432").parse()?);
    config.dbname(variable("PGDATABASE", &user)).user(user).password(variable("PGPASSWORD", ""));
    Ok(config)
}

fn demo(name: &str) -> impl AsRef<Path> {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../demo")).join(name)
}

/// The fastest way in: the table itself, in binary form.
async fn load(client: &Client) -> Result<()> {
    let start = Instant::now();
    // The table's name, as it is written in SQL: COPY has no parameters.
    let table: String = client
        .query_one(
            "SELECT vera.create_collection($1, 384, key_fields => ARRAY['topic'])::text",
            &[&COLLECTION],
        )
        .await?
        .get(0);
    let vector_type = client.prepare("SELECT NULL::veravec").await?.columns()[0].type_().clone();

    let copy = format!("COPY {table} (id, content, metadata, embedding) FROM STDIN (FORMAT binary)");
    let types = [Type::TEXT, Type::TEXT, Type::JSONB, vector_type];
    let mut writer = pin!(BinaryCopyInWriter::new(client.copy_in(&copy).await?, &types));
    for line in BufReader::new(GzDecoder::new(File::open(demo("documents.tsv.gz"))?)).lines() {
        let line = line?;
        let [id, content, metadata, embedding] = line.split('\t').collect::<Vec<_>>()[..] else {
            return Err(format!("not a document: {line:.80}").into());
        };
        let metadata: Value = serde_json::from_str(metadata)?;
        let embedding = Vector(serde_json::from_str(embedding)?);
        writer.as_mut().write(&[&id, &content, &metadata, &embedding]).await?;
    }
    let documents = writer.finish().await?;
    // The index was made when there were no vectors to make it from.
    client.batch_execute(&format!("REINDEX TABLE {table}; ANALYZE {table}")).await?;

    println!("{documents} documents loaded");
    eprintln!("({:.1} s)", start.elapsed().as_secs_f64());
    Ok(())
}

/// Ten sentences and their embeddings.
fn sentences() -> Result<(Vec<String>, Vec<Vector>)> {
    let text = read_to_string(demo("queries.tsv"))?;
    let pairs = text.lines().map(|line| {
        let (sentence, vector) = line.split_once('\t').ok_or("a sentence without a vector")?;
        Ok((sentence.to_owned(), Vector(serde_json::from_str(vector)?)))
    });
    pairs.collect()
}

/// Documents whose ids may be there already: by arrays.
async fn add(client: &Client, sentences: &[String], vectors: &[Vector]) -> Result<()> {
    let ids: Vec<String> = (1..=sentences.len()).map(|number| format!("sentence {number}")).collect();
    let metadata = vec![json!({"topic": "sentence", "source": {"file": "queries.tsv"}}); ids.len()];
    for _ in 0..2 {
        let row = client
            .query_one(
                "SELECT added, replaced FROM vera.add_documents($1, $2, $3, $4, $5)",
                &[&COLLECTION, &ids, &sentences, &vectors, &metadata],
            )
            .await?;
        println!("{} added, {} replaced", row.get::<_, i64>("added"), row.get::<_, i64>("replaced"));
    }
    let row = client.query_one("SELECT * FROM vera.get_document($1, $2)", &[&COLLECTION, &ids[0]]).await?;
    println!(
        "{}: {} {}",
        row.get::<_, &str>("id"),
        row.get::<_, &str>("content"),
        row.get::<_, Value>("metadata")
    );
    Ok(())
}

async fn search_batch(client: &Client, sentences: &[String], vectors: &[Vector]) -> Result<()> {
    println!("\nWhat is …");
    let filter = json!({"topic": {"$ne": "sentence"}});
    let rows = client
        .query(
            "SELECT query, metadata, score FROM vera.search_batch($1, $2, k => 2, filter => $3)",
            &[&COLLECTION, &vectors, &filter],
        )
        .await?;
    for (sentence, number) in sentences.iter().zip(1..) {
        let words: Vec<String> = rows
            .iter()
            .filter(|row| row.get::<_, i32>("query") == number)
            .map(|row| {
                let metadata: Value = row.get("metadata");
                let word = metadata["lemmas"][0].as_str().unwrap_or("?");
                format!("{word} ({:.2})", row.get::<_, f64>("score"))
            })
            .collect();
        println!("  {sentence}? {}", words.join(", "));
    }
    Ok(())
}

/// What is near to the vector, has the words, or best both.
async fn hybrid_search(client: &Client, vector: &Vector) -> Result<()> {
    println!("\nA hot drink made from roasted beans, and with the words “beverage” or “milk”");
    let rows = client
        .query(
            "SELECT content, distance, text_rank, score
             FROM vera.hybrid_search($1, $2, $3, k => 4, filter => $4, language => 'english')",
            &[&COLLECTION, vector, &"beverage or milk", &json!({"topic": "food"})],
        )
        .await?;
    for row in rows {
        // Each is NULL for what was found by the other alone.
        let figure =
            |name| row.get::<_, Option<f64>>(name).map_or("    –".to_owned(), |it| format!("{it:.3}"));
        let content: &str = row.get("content");
        println!(
            "  {:.4}  distance {}, text {}  {content:.60}",
            row.get::<_, f64>("score"),
            figure("distance"),
            figure("text_rank")
        );
    }
    Ok(())
}

async fn delete(client: &Client) -> Result<()> {
    let filter = json!({"source.file": "queries.tsv"});
    let deleted: i64 = client
        .query_one("SELECT vera.delete_documents($1, filter => $2)", &[&COLLECTION, &filter])
        .await?
        .get(0);
    let left: i64 = client.query_one("SELECT vera.count($1)", &[&COLLECTION]).await?.get(0);
    println!("\n{deleted} documents deleted, {left} left");
    Ok(())
}
