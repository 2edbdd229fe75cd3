-- The management group. Times are microseconds since the Unix epoch, 0 for never; identities are lower-case UUIDs.
-- A document is the whole record as JSON; the columns beside it are those that are searched.
CREATE TABLE locks (
    name TEXT PRIMARY KEY,
    taken BIGINT NOT NULL
);
INSERT INTO locks (name, taken) VALUES ('operational', 0);

CREATE TABLE management_packs (
    pack_id TEXT PRIMARY KEY,
    version TEXT NOT NULL,
    name TEXT NOT NULL,
    sealed BIGINT NOT NULL,
    form TEXT NOT NULL,
    content TEXT NOT NULL,
    imported_at BIGINT NOT NULL,
    imported_by TEXT NOT NULL
);

CREATE TABLE management_pack_history (
    pack_id TEXT NOT NULL,
    version TEXT NOT NULL,
    change TEXT NOT NULL,
    changed_at BIGINT NOT NULL,
    changed_by TEXT NOT NULL
);
CREATE INDEX management_pack_history_pack ON management_pack_history (pack_id, changed_at);

CREATE TABLE overrides (
    override_id TEXT PRIMARY KEY,
    pack_id TEXT NOT NULL,
    element TEXT NOT NULL,
    document TEXT NOT NULL
);
CREATE INDEX overrides_pack ON overrides (pack_id);

CREATE TABLE objects (
    object_id TEXT PRIMARY KEY,
    class TEXT NOT NULL,
    name TEXT NOT NULL,
    path TEXT NOT NULL,
    agent_id TEXT NOT NULL,
    properties TEXT NOT NULL,
    discovered_at BIGINT NOT NULL,
    modified_at BIGINT NOT NULL
);
CREATE INDEX objects_class ON objects (class);
CREATE INDEX objects_agent ON objects (agent_id);

CREATE TABLE relationships (
    relationship_id TEXT PRIMARY KEY,
    class TEXT NOT NULL,
    source TEXT NOT NULL,
    target TEXT NOT NULL
);
CREATE INDEX relationships_source ON relationships (source);
CREATE INDEX relationships_target ON relationships (target);

-- an object or relationship is there as long as a discovery says so
CREATE TABLE discovery_sources (
    item TEXT NOT NULL,
    source TEXT NOT NULL,
    PRIMARY KEY (item, source)
);
CREATE INDEX discovery_sources_source ON discovery_sources (source);

CREATE TABLE object_history (
    object_id TEXT NOT NULL,
    changed_at BIGINT NOT NULL,
    change TEXT NOT NULL,
    document TEXT NOT NULL
);
CREATE INDEX object_history_object ON object_history (object_id, changed_at);
CREATE INDEX object_history_time ON object_history (changed_at);

CREATE TABLE monitor_states (
    object_id TEXT NOT NULL,
    monitor_id TEXT NOT NULL,
    health BIGINT NOT NULL,
    state TEXT NOT NULL,
    rolled_up BIGINT NOT NULL,
    changed_at BIGINT NOT NULL,
    PRIMARY KEY (object_id, monitor_id)
);
CREATE INDEX monitor_states_health ON monitor_states (health);

CREATE TABLE state_changes (
    object_id TEXT NOT NULL,
    monitor_id TEXT NOT NULL,
    changed_at BIGINT NOT NULL,
    old_health BIGINT NOT NULL,
    new_health BIGINT NOT NULL,
    state TEXT NOT NULL,
    context TEXT NOT NULL
);
CREATE INDEX state_changes_object ON state_changes (object_id, changed_at);
CREATE INDEX state_changes_time ON state_changes (changed_at);

CREATE TABLE alerts (
    alert_id TEXT PRIMARY KEY,
    suppression_key TEXT NOT NULL,
    workflow_id TEXT NOT NULL,
    object_id TEXT NOT NULL,
    is_monitor BIGINT NOT NULL,
    severity BIGINT NOT NULL,
    priority BIGINT NOT NULL,
    resolution_state BIGINT NOT NULL,
    owner TEXT NOT NULL,
    time_raised BIGINT NOT NULL,
    last_modified BIGINT NOT NULL,
    state_modified BIGINT NOT NULL,
    time_resolved BIGINT NOT NULL,
    document TEXT NOT NULL
);
-- one open alert for a suppression key
CREATE UNIQUE INDEX alerts_open_key ON alerts (suppression_key) WHERE resolution_state <> 255 AND suppression_key <> '';
CREATE INDEX alerts_open ON alerts (last_modified) WHERE resolution_state <> 255;
CREATE INDEX alerts_resolved ON alerts (time_resolved) WHERE resolution_state = 255;
CREATE INDEX alerts_object ON alerts (object_id);

CREATE TABLE alert_history (
    alert_id TEXT NOT NULL,
    changed_at BIGINT NOT NULL,
    changed_by TEXT NOT NULL,
    comment TEXT NOT NULL,
    document TEXT NOT NULL
);
CREATE INDEX alert_history_alert ON alert_history (alert_id, changed_at);

CREATE TABLE resolution_states (
    code BIGINT PRIMARY KEY,
    name TEXT NOT NULL,
    built_in BIGINT NOT NULL
);
INSERT INTO resolution_states (code, name, built_in) VALUES
    (0, 'New', 1), (247, 'Awaiting Evidence', 1), (248, 'Assigned to Engineering', 1), (249, 'Acknowledged', 1),
    (250, 'Scheduled', 1), (254, 'Resolved', 1), (255, 'Closed', 1);

CREATE TABLE maintenance_windows (
    window_id TEXT PRIMARY KEY,
    object_id TEXT NOT NULL,
    starts_at BIGINT NOT NULL,
    ends_at BIGINT NOT NULL,
    document TEXT NOT NULL
);
CREATE INDEX maintenance_windows_end ON maintenance_windows (ends_at);
CREATE INDEX maintenance_windows_object ON maintenance_windows (object_id);

CREATE TABLE maintenance_schedules (
    schedule_id TEXT PRIMARY KEY,
    enabled BIGINT NOT NULL,
    next_at BIGINT NOT NULL,
    document TEXT NOT NULL
);

CREATE TABLE task_runs (
    run_id TEXT PRIMARY KEY,
    batch_id TEXT NOT NULL,
    agent_id TEXT NOT NULL,
    status BIGINT NOT NULL,
    submitted_at BIGINT NOT NULL,
    deadline_at BIGINT NOT NULL,
    finished_at BIGINT NOT NULL,
    document TEXT NOT NULL
);
CREATE INDEX task_runs_batch ON task_runs (batch_id);
CREATE INDEX task_runs_open ON task_runs (deadline_at) WHERE status < 2;
CREATE INDEX task_runs_finished ON task_runs (finished_at);

CREATE TABLE run_as_accounts (
    account_id TEXT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    user_name TEXT NOT NULL,
    sealed_secret TEXT NOT NULL,
    less_secure BIGINT NOT NULL,
    modified_at BIGINT NOT NULL
);
CREATE TABLE run_as_distribution (
    account_id TEXT NOT NULL REFERENCES run_as_accounts (account_id) ON DELETE CASCADE,
    agent_id TEXT NOT NULL,
    PRIMARY KEY (account_id, agent_id)
);
CREATE INDEX run_as_distribution_agent ON run_as_distribution (agent_id);
CREATE TABLE run_as_associations (
    profile TEXT NOT NULL,
    -- empty: every object that uses the profile
    scope TEXT NOT NULL,
    account_id TEXT NOT NULL REFERENCES run_as_accounts (account_id) ON DELETE CASCADE,
    PRIMARY KEY (profile, scope)
);

CREATE TABLE agent_assignments (
    agent_id TEXT PRIMARY KEY,
    primary_server TEXT NOT NULL,
    failover_servers TEXT NOT NULL,
    proxy BIGINT NOT NULL
);

CREATE TABLE servers (
    server_id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    alive_until BIGINT NOT NULL
);
CREATE TABLE resource_pools (
    pool_id TEXT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    automatic BIGINT NOT NULL,
    default_observer BIGINT NOT NULL
);
CREATE TABLE resource_pool_members (
    pool_id TEXT NOT NULL REFERENCES resource_pools (pool_id) ON DELETE CASCADE,
    server_id TEXT NOT NULL,
    observer BIGINT NOT NULL,
    PRIMARY KEY (pool_id, server_id)
);
-- who may do a thing now; the token rises with each new holder
CREATE TABLE leases (
    name TEXT PRIMARY KEY,
    holder TEXT NOT NULL,
    token BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);

-- what of a queue of an agent has been applied
CREATE TABLE high_water (
    agent_id TEXT NOT NULL,
    queue TEXT NOT NULL,
    lane TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    changed_at BIGINT NOT NULL,
    PRIMARY KEY (agent_id, queue, lane)
);
