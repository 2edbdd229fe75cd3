-- The change of a work item that the product was last asked for without an answer: it may still arrive; empty: none.
ALTER TABLE itsm_tickets ADD COLUMN pending TEXT NOT NULL DEFAULT '';
