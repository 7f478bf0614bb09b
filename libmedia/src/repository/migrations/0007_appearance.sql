-- How a picture looks. The hash is 64 bits, in SQLite's numbers as in C++'s: the first bit is the sign.
ALTER TABLE media ADD COLUMN thumbhash BLOB NOT NULL DEFAULT x'';
ALTER TABLE media ADD COLUMN dominant_colour TEXT NOT NULL DEFAULT '';
ALTER TABLE media ADD COLUMN perceptual_hash INTEGER;

-- A quarter of the hash each. Hashes that differ in few bits differ in very few of one of their quarters, so that what is near is found
-- among the rows whose quarter is one of a few values. The whole hash stands behind it: the others need not be looked up to be left out.
-- One of them has all that a search asks for, so that one that goes through every hash never comes to the table.
CREATE INDEX media_by_hash_quarter_0 ON media ((perceptual_hash >> 48) & 65535, perceptual_hash) WHERE perceptual_hash IS NOT NULL;
CREATE INDEX media_by_hash_quarter_1 ON media ((perceptual_hash >> 32) & 65535, perceptual_hash) WHERE perceptual_hash IS NOT NULL;
CREATE INDEX media_by_hash_quarter_2 ON media ((perceptual_hash >> 16) & 65535, perceptual_hash) WHERE perceptual_hash IS NOT NULL;
CREATE INDEX media_by_hash_quarter_3 ON media (perceptual_hash & 65535, perceptual_hash, visibility, owner, expires_at)
WHERE perceptual_hash IS NOT NULL;

-- What was taken in before is looked at when there is nothing else to do.
INSERT INTO job (kind, media_id, state, attempts, run_after, lease_owner, progress, last_error, created_at)
SELECT 'describe', id, 0, 0, updated_at, '', 0, x'', updated_at FROM media
WHERE status = 2 AND digest IS NOT NULL AND format IN ('jpeg', 'png', 'webp', 'avif', 'heic', 'gif', 'bmp');
