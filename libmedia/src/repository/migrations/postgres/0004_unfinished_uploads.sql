-- What an owner has begun and not ended, summed when another upload is begun under a quota.

CREATE INDEX media_resumable_upload_by_owner ON media_resumable_upload (owner, expires_at, size_bytes) WHERE media_id IS NULL;
