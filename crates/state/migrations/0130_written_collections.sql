-- What was last written to a site of Configuration Manager: JSON, for each group what became of it; empty: nothing.
ALTER TABLE configuration_managers ADD COLUMN written TEXT NOT NULL DEFAULT '';
