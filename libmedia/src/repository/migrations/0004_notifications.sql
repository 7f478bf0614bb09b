-- What is told to others waits in the queue too, and outlives the media that it tells of.
ALTER TABLE job ADD COLUMN payload BLOB NOT NULL DEFAULT x'';

-- A backlog of one kind must not be walked through by those who look for another.
DROP INDEX job_due;
CREATE INDEX job_due ON job (kind, due_at) WHERE due_at IS NOT NULL;
