-- Which media a video was ordered of: others with the same bytes do not see it. `job_id` is the job that makes it, or made it, and `turn` its
-- place among those that wait.
CREATE TABLE video_order (
  media_id   INTEGER NOT NULL REFERENCES media (id) ON DELETE CASCADE,
  transform  TEXT    NOT NULL,
  owner      TEXT    NOT NULL,
  job_id     INTEGER NOT NULL,
  turn       INTEGER NOT NULL,
  deaths     INTEGER NOT NULL,
  remark     BLOB    NOT NULL,
  ordered_at INTEGER NOT NULL,
  PRIMARY KEY (media_id, transform)
) STRICT, WITHOUT ROWID;
CREATE INDEX video_order_by_owner ON video_order (owner);

-- Nobody noted who had ordered what is there: whoever could see it goes on seeing it.
INSERT INTO video_order (media_id, transform, owner, job_id, turn, deaths, remark, ordered_at)
SELECT media.id, rendition.transform, media.owner, 0, 0, 0, x'', min(rendition.created_at)
FROM rendition JOIN media ON media.digest = rendition.source
WHERE rendition.format IN ('mp4', 'webm') AND rendition.on_demand = 0 GROUP BY media.id, rendition.transform, media.owner;
INSERT INTO video_order (media_id, transform, owner, job_id, turn, deaths, remark, ordered_at)
SELECT media.id, CAST(job.payload AS TEXT), media.owner, max(job.id), 0, 0, x'', min(job.created_at)
FROM job JOIN media ON media.id = job.media_id WHERE job.kind = 'encode' GROUP BY media.id, job.payload, media.owner
ON CONFLICT (media_id, transform) DO UPDATE SET job_id = excluded.job_id;
