-- Tags of saved queries (JSON, as the API has them): Group = Computer makes one a group of computers.
ALTER TABLE saved_queries ADD COLUMN tags TEXT NOT NULL DEFAULT '[]';
ALTER TABLE saved_queries ADD COLUMN etag TEXT NOT NULL DEFAULT '';
