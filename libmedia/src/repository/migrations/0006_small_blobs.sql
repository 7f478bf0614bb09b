-- Whether a blob of a size is there is asked for large contents only, and small ones come by the million: an entry for each of them would
-- be one of nine pages that storing it writes.
DROP INDEX blob_live_by_size;
CREATE INDEX blob_live_by_size ON blob (size_bytes) WHERE state = 0 AND size_bytes > 262144;
