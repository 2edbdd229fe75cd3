-- Where boxes of the map were put by hand. An arrangement without pins is one too: nothing is pinned in it.
CREATE TABLE map_arrangements (
    workspace_id TEXT NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    -- the subject whose it is; empty: everybody's who has none of their own
    owner        TEXT NOT NULL,
    -- which part of the map is shown, as the console names it
    view         TEXT NOT NULL,
    updated_at   BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, owner, view)
);

CREATE TABLE map_pins (
    workspace_id TEXT NOT NULL,
    owner        TEXT NOT NULL,
    view         TEXT NOT NULL,
    box          TEXT NOT NULL,
    -- the left upper corner, in units of the drawing
    x            BIGINT NOT NULL,
    y            BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, owner, view, box),
    FOREIGN KEY (workspace_id, owner, view) REFERENCES map_arrangements (workspace_id, owner, view) ON DELETE CASCADE
);
