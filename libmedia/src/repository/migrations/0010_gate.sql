-- What may come in and what may not go out. `held` and `reason` are the numbers of Hold; texts that may quote a stranger are bytes.

-- Every reader of a media has its row in hand already, so that what is kept back costs nobody another look.
ALTER TABLE media ADD COLUMN held INTEGER NOT NULL DEFAULT 0 CHECK (held BETWEEN 0 AND 7);

CREATE TABLE quota (
  owner     TEXT NOT NULL PRIMARY KEY,
  max_bytes INTEGER,
  max_media INTEGER
) STRICT, WITHOUT ROWID;

-- What an owner has, for those owners whose usage was asked for by a quota. For all others the triggers find no row and do nothing.
CREATE TABLE owner_usage (
  owner       TEXT    NOT NULL PRIMARY KEY,
  media_count INTEGER NOT NULL,
  size_bytes  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TRIGGER media_usage_of_insert AFTER INSERT ON media BEGIN
  UPDATE owner_usage SET media_count = media_count + 1, size_bytes = size_bytes + NEW.size_bytes WHERE owner = NEW.owner;
END;
CREATE TRIGGER media_usage_of_delete AFTER DELETE ON media BEGIN
  UPDATE owner_usage SET media_count = media_count - 1, size_bytes = size_bytes - OLD.size_bytes WHERE owner = OLD.owner;
END;
CREATE TRIGGER media_usage_of_update AFTER UPDATE OF owner, size_bytes ON media
WHEN OLD.owner <> NEW.owner OR OLD.size_bytes <> NEW.size_bytes BEGIN
  UPDATE owner_usage SET media_count = media_count - 1, size_bytes = size_bytes - OLD.size_bytes WHERE owner = OLD.owner;
  UPDATE owner_usage SET media_count = media_count + 1, size_bytes = size_bytes + NEW.size_bytes WHERE owner = NEW.owner;
END;

CREATE TABLE ban (
  id              INTEGER PRIMARY KEY AUTOINCREMENT,
  digest          BLOB    CHECK (length(digest) = 32),
  perceptual_hash INTEGER,
  max_distance    INTEGER NOT NULL,
  reason          BLOB    NOT NULL,
  created_at      INTEGER NOT NULL,
  CHECK ((digest IS NULL) <> (perceptual_hash IS NULL))
) STRICT;
CREATE UNIQUE INDEX ban_by_digest ON ban (digest) WHERE digest IS NOT NULL;
CREATE UNIQUE INDEX ban_by_perceptual_hash ON ban (perceptual_hash) WHERE perceptual_hash IS NOT NULL;

CREATE TABLE quarantine (
  digest      BLOB    NOT NULL PRIMARY KEY CHECK (length(digest) = 32),
  reason      INTEGER NOT NULL CHECK (reason BETWEEN 1 AND 7),
  detail      BLOB    NOT NULL,
  since       INTEGER NOT NULL,
  released_at INTEGER,
  released_by BLOB    NOT NULL,
  forced      INTEGER NOT NULL CHECK (forced BETWEEN 0 AND 1)
) STRICT, WITHOUT ROWID;
CREATE INDEX quarantine_kept ON quarantine (reason, digest) WHERE released_at IS NULL;
