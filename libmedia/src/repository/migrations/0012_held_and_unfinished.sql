-- Held media are no answer to who looks for what looks alike: with `held` in it the index is enough for the walk over all hashes again.

DROP INDEX media_by_hash_quarter_3;
CREATE INDEX media_by_hash_quarter_3 ON media (perceptual_hash & 65535, perceptual_hash, visibility, owner, expires_at, held)
WHERE perceptual_hash IS NOT NULL;

-- What an owner has begun and not ended, summed when another upload is begun under a quota.
CREATE INDEX resumable_upload_by_owner ON resumable_upload (owner, expires_at, size_bytes) WHERE media_id IS NULL;
