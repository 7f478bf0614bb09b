-- Credentials of programs. Of a secret there is the SHA-256 alone: 256 random bits need no slower hash.
CREATE TABLE api_key (
  id            TEXT    NOT NULL PRIMARY KEY,
  secret_digest BLOB    NOT NULL CHECK (length(secret_digest) = 32),
  owner         TEXT    NOT NULL,
  scopes        TEXT    NOT NULL,
  label         BLOB    NOT NULL,
  created_at    INTEGER NOT NULL,
  expires_at    INTEGER,
  revoked_at    INTEGER
) STRICT, WITHOUT ROWID;
