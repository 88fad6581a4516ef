-- How far each sink has the events of a workspace. The journal is the outbox; nothing is copied.

CREATE TABLE event_cursor (
    workspace TEXT NOT NULL REFERENCES workspace (id),
    sink TEXT NOT NULL,
    sequence INTEGER NOT NULL, -- newest entry the sink has acknowledged
    PRIMARY KEY (workspace, sink)
) STRICT, WITHOUT ROWID;
