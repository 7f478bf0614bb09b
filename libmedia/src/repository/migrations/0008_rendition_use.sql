-- Which renditions were made because somebody asked, and when each was last used, so that those that nobody asks for any more make room.
-- What is there already counts as asked for unless it is one of the built-in presets'.

ALTER TABLE rendition ADD COLUMN on_demand INTEGER NOT NULL DEFAULT 0 CHECK (on_demand BETWEEN 0 AND 1);
ALTER TABLE rendition ADD COLUMN used_at INTEGER NOT NULL DEFAULT 0;
UPDATE rendition SET used_at = created_at, on_demand = transform NOT IN (
  'w=320,h=320,format=avif', 'w=320,h=320,format=webp', 'w=320,h=320,format=jpeg',
  'w=800,h=800,format=avif', 'w=800,h=800,format=webp', 'w=800,h=800,format=jpeg',
  'w=1600,h=1600,format=avif', 'w=1600,h=1600,format=webp', 'w=1600,h=1600,format=jpeg');

-- With the size in it the sum of what counts against the budget needs no look at the rows; presets' renditions, of which every media has
-- some, cost nothing here.
CREATE INDEX rendition_by_use ON rendition (used_at, size_bytes) WHERE on_demand = 1;
