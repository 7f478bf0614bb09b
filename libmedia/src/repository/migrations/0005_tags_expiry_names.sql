-- Tags in one column, each between two line feeds: a list that is filtered by a tag walks the same index as any other and looks for the
-- tag's bytes in the row. A media that has expired counts as removed from then on, and is swept later.

ALTER TABLE media ADD COLUMN tags BLOB NOT NULL DEFAULT x'';
ALTER TABLE media ADD COLUMN expires_at INTEGER;
CREATE INDEX media_by_expires_at ON media (expires_at) WHERE expires_at IS NOT NULL;

-- Was this content sent under this name before? An owner may have one content many thousand times over, each under another name.
CREATE INDEX media_by_content_and_name ON media (digest, owner, filename) WHERE digest IS NOT NULL;
