-- What work items are about, as the product names it, and whether something is still to be done: machines that become
-- known later get theirs, and the map counts those that are open.
ALTER TABLE itsm_items ADD COLUMN names TEXT NOT NULL DEFAULT '[]';
ALTER TABLE itsm_items ADD COLUMN is_open BIGINT NOT NULL DEFAULT 0;
CREATE INDEX itsm_items_open ON itsm_items (connection_id) WHERE is_open = 1;
-- all are read once more, which writes no row for what has not changed
DELETE FROM itsm_positions;
