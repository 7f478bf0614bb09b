-- Which media a video was ordered of, as migrations/0013 makes it in SQLite; see there.

CREATE TABLE media_video_order (
  media_id   BIGINT NOT NULL REFERENCES media_item (id) ON DELETE CASCADE,
  transform  TEXT   NOT NULL COLLATE "C",
  owner      TEXT   NOT NULL COLLATE "C",
  job_id     BIGINT NOT NULL,
  turn       BIGINT NOT NULL,
  deaths     BIGINT NOT NULL,
  remark     BYTEA  NOT NULL,
  ordered_at BIGINT NOT NULL,
  PRIMARY KEY (media_id, transform)
);
CREATE INDEX media_video_order_by_owner ON media_video_order (owner, media_id, transform);

INSERT INTO media_video_order (media_id, transform, owner, job_id, turn, deaths, remark, ordered_at)
SELECT media.id, made.transform, media.owner, 0, 0, 0, '', min(made.created_at)
FROM media_rendition AS made JOIN media_item AS media ON media.digest = made.source
WHERE made.format IN ('mp4', 'webm') AND made.on_demand = 0 GROUP BY media.id, made.transform, media.owner;
INSERT INTO media_video_order (media_id, transform, owner, job_id, turn, deaths, remark, ordered_at)
SELECT media.id, convert_from(job.payload, 'UTF8'), media.owner, max(job.id), 0, 0, '', min(job.created_at)
FROM media_job AS job JOIN media_item AS media ON media.id = job.media_id WHERE job.kind = 'encode' GROUP BY media.id, job.payload, media.owner
ON CONFLICT (media_id, transform) DO UPDATE SET job_id = excluded.job_id;
