-- As SQLite's step 3; what it means is said there.

CREATE TABLE event_cursor (
    workspace TEXT COLLATE "C" NOT NULL REFERENCES workspace (id),
    sink TEXT COLLATE "C" NOT NULL,
    sequence BIGINT NOT NULL,
    PRIMARY KEY (workspace, sink)
);
