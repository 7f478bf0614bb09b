-- How often a blob was read and when last, as far as it was noted: what belongs into which tier is told by it. Apart from the blob's row,
-- which has better things to do than to change with each note.

CREATE TABLE blob_read (
  digest  BLOB    NOT NULL PRIMARY KEY CHECK (length(digest) = 32) REFERENCES blob (digest) ON DELETE CASCADE,
  reads   INTEGER NOT NULL,
  read_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
