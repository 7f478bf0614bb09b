-- The catalog. Times are milliseconds since 1970 in UTC; digests are the 32 bytes of a SHA-256; enumerations are the numbers
-- that rows.cpp pins. File names and error texts, which may quote one, are bytes and not text: a name on Linux need not be
-- UTF-8, and PostgreSQL's text could not hold it. An index of a table with a rowid ends with the id by itself, so
-- `(owner)` below serves a keyset walk over (owner, id).

CREATE TABLE media (
  id                 INTEGER PRIMARY KEY AUTOINCREMENT CHECK (id > 0),
  owner              TEXT    NOT NULL,
  digest             BLOB    CHECK (length(digest) = 32),
  filename           BLOB    NOT NULL,
  media_type         TEXT    NOT NULL,
  size_bytes         INTEGER NOT NULL,
  status             INTEGER NOT NULL CHECK (status BETWEEN 0 AND 3),
  error_message      BLOB    NOT NULL,
  visibility         INTEGER NOT NULL CHECK (visibility BETWEEN 0 AND 2),
  format             TEXT    NOT NULL,
  width              INTEGER NOT NULL,
  height             INTEGER NOT NULL,
  frames             INTEGER NOT NULL,
  orientation        INTEGER NOT NULL,
  has_alpha          INTEGER NOT NULL,
  duration_ms        INTEGER,
  placeholder        TEXT    NOT NULL,
  idempotency_key    TEXT    NOT NULL,
  uploaded_at        INTEGER NOT NULL,
  updated_at         INTEGER NOT NULL,
  completed_at       INTEGER,
  processing_time_ms INTEGER
) STRICT;
CREATE INDEX media_by_owner ON media (owner);
CREATE INDEX media_by_owner_status ON media (owner, status);
CREATE INDEX media_by_digest ON media (digest, owner) WHERE digest IS NOT NULL;
CREATE UNIQUE INDEX media_by_idempotency_key ON media (owner, idempotency_key) WHERE idempotency_key <> '';

CREATE TABLE blob (
  digest       BLOB    NOT NULL PRIMARY KEY CHECK (length(digest) = 32),
  size_bytes   INTEGER NOT NULL,
  state        INTEGER NOT NULL CHECK (state BETWEEN 0 AND 2),
  location     TEXT    NOT NULL,
  identity     TEXT    NOT NULL,
  verified_at  INTEGER,
  condemned_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX blob_live_by_size ON blob (size_bytes) WHERE state = 0;
CREATE INDEX blob_by_condemned_at ON blob (state, condemned_at) WHERE condemned_at IS NOT NULL;

CREATE TABLE rendition (
  source     BLOB    NOT NULL CHECK (length(source) = 32),
  transform  TEXT    NOT NULL,
  encoder    TEXT    NOT NULL,
  digest     BLOB    NOT NULL CHECK (length(digest) = 32),
  format     TEXT    NOT NULL,
  width      INTEGER NOT NULL,
  height     INTEGER NOT NULL,
  size_bytes INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (source, transform, encoder)
) STRICT, WITHOUT ROWID;
CREATE INDEX rendition_by_digest ON rendition (digest);

-- `due_at` is when a job may be claimed: a queued one at its time, a running one when its lease runs out, a dead one never.
CREATE TABLE job (
  id          INTEGER PRIMARY KEY AUTOINCREMENT,
  kind        TEXT    NOT NULL,
  media_id    INTEGER REFERENCES media (id) ON DELETE CASCADE,
  state       INTEGER NOT NULL CHECK (state BETWEEN 0 AND 2),
  attempts    INTEGER NOT NULL,
  run_after   INTEGER NOT NULL,
  lease_owner TEXT    NOT NULL,
  lease_until INTEGER,
  progress    REAL    NOT NULL,
  last_error  BLOB    NOT NULL,
  created_at  INTEGER NOT NULL,
  due_at      INTEGER GENERATED ALWAYS AS (CASE state WHEN 0 THEN run_after WHEN 1 THEN coalesce(lease_until, run_after) END) VIRTUAL
) STRICT;
CREATE INDEX job_due ON job (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX job_by_media ON job (media_id, kind) WHERE media_id IS NOT NULL;

CREATE TABLE upload (
  token      TEXT    NOT NULL PRIMARY KEY,
  media_id   INTEGER NOT NULL REFERENCES media (id) ON DELETE CASCADE,
  owner      TEXT    NOT NULL,
  filename   BLOB    NOT NULL,
  media_type TEXT    NOT NULL,
  size_bytes INTEGER NOT NULL,
  digest     BLOB    CHECK (length(digest) = 32),
  state      INTEGER NOT NULL CHECK (state BETWEEN 0 AND 2),
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX upload_by_media ON upload (media_id);
CREATE INDEX upload_by_expires_at ON upload (expires_at);

CREATE TABLE link (
  subject  TEXT    NOT NULL,
  media_id INTEGER NOT NULL REFERENCES media (id) ON DELETE CASCADE,
  position INTEGER NOT NULL,
  PRIMARY KEY (subject, media_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX link_by_position ON link (subject, position, media_id);
CREATE INDEX link_by_media ON link (media_id, subject);
