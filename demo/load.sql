-- Loads the demonstration's data: run it with psql in the project's directory.
CREATE TABLE documents (
    id        bigint PRIMARY KEY,
    content   text NOT NULL,
    metadata  jsonb NOT NULL,
    embedding veravec(384)
);
\copy documents FROM PROGRAM 'gzip -dc demo/documents.tsv.gz'
CREATE TABLE queries (sentence text PRIMARY KEY, embedding veravec(384));
\copy queries FROM 'demo/queries.tsv'
ANALYZE documents, queries;
