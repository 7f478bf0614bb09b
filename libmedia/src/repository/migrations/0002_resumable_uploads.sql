-- Uploads that arrive over many requests. Their bytes are in the spool, which alone knows how many there are; a row whose `media_id`
-- is set is done, and stays until it expires so that a client who lost the answer can still ask for it. `parts` are the
-- ids that a final concatenation was made of, apart by spaces.

CREATE TABLE resumable_upload (
  id         TEXT    NOT NULL PRIMARY KEY,
  owner      TEXT    NOT NULL,
  kind       INTEGER NOT NULL CHECK (kind BETWEEN 0 AND 2),
  filename   BLOB    NOT NULL,
  media_type TEXT    NOT NULL,
  metadata   TEXT    NOT NULL,
  parts      TEXT    NOT NULL,
  size_bytes INTEGER NOT NULL,
  media_id   INTEGER REFERENCES media (id) ON DELETE CASCADE,
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX resumable_upload_by_media ON resumable_upload (media_id) WHERE media_id IS NOT NULL;
CREATE INDEX resumable_upload_by_expires_at ON resumable_upload (expires_at);
