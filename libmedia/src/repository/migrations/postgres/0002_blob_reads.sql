-- How often a blob was read and when last: see migrations/0009 of SQLite.

CREATE TABLE media_blob_read (
  digest  BYTEA  NOT NULL PRIMARY KEY CHECK (length(digest) = 32) REFERENCES media_blob (digest) ON DELETE CASCADE,
  reads   BIGINT NOT NULL,
  read_at BIGINT NOT NULL
) WITH (fillfactor = 70);
