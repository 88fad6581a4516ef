-- The same tables as SQLite's, at its version 2; what they mean is said there.
-- Texts compare byte by byte, as they do in the program.

CREATE TABLE workspace (
    id TEXT COLLATE "C" PRIMARY KEY,
    created_at BIGINT NOT NULL
);

CREATE TABLE journal (
    workspace TEXT COLLATE "C" NOT NULL REFERENCES workspace (id),
    sequence BIGINT NOT NULL,
    at BIGINT NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    ticket TEXT COLLATE "C",
    agent TEXT COLLATE "C",
    actor TEXT COLLATE "C",
    format BIGINT NOT NULL,
    body TEXT NOT NULL,
    checksum BIGINT,
    PRIMARY KEY (workspace, sequence)
);

CREATE INDEX journal_ticket ON journal (workspace, ticket, sequence) WHERE ticket IS NOT NULL;
CREATE INDEX journal_agent ON journal (workspace, agent, sequence) WHERE agent IS NOT NULL;
CREATE INDEX journal_decision ON journal (workspace, sequence) WHERE kind IN ('offer_made', 'ticket_queued');

CREATE TABLE policy (
    workspace TEXT COLLATE "C" NOT NULL REFERENCES workspace (id),
    version BIGINT NOT NULL,
    sequence BIGINT NOT NULL,
    PRIMARY KEY (workspace, version)
);

CREATE TABLE ticket (
    workspace TEXT COLLATE "C" NOT NULL REFERENCES workspace (id),
    number BIGINT NOT NULL,
    id TEXT COLLATE "C" NOT NULL,
    sequence BIGINT NOT NULL,
    status TEXT COLLATE "C" NOT NULL,
    holder TEXT COLLATE "C",
    assignee TEXT COLLATE "C",
    epoch BIGINT NOT NULL,
    offer_sequence BIGINT,
    relaxation_step BIGINT NOT NULL,
    received_at BIGINT NOT NULL,
    assigned_at BIGINT,
    closed_at BIGINT,
    target_secs BIGINT,
    fast_tracked BIGINT,
    triaged BIGINT,
    reassigned BIGINT NOT NULL,
    outcome TEXT,
    PRIMARY KEY (workspace, number)
);

CREATE UNIQUE INDEX ticket_id ON ticket (workspace, id);
CREATE INDEX ticket_status ON ticket (workspace, status, number);
CREATE INDEX ticket_received ON ticket (workspace, received_at);

CREATE TABLE ticket_detail (
    workspace TEXT COLLATE "C" NOT NULL,
    number BIGINT NOT NULL,
    format BIGINT NOT NULL,
    body TEXT NOT NULL,
    checksum BIGINT,
    PRIMARY KEY (workspace, number)
);

CREATE TABLE payload (
    workspace TEXT COLLATE "C" NOT NULL,
    number BIGINT NOT NULL,
    subject TEXT NOT NULL,
    body TEXT NOT NULL,
    customer TEXT COLLATE "C" NOT NULL,
    checksum BIGINT,
    PRIMARY KEY (workspace, number)
);

CREATE INDEX payload_customer ON payload (workspace, customer, number) WHERE customer <> '';

CREATE TABLE segment (
    workspace TEXT COLLATE "C" NOT NULL,
    number BIGINT NOT NULL,
    attribute TEXT COLLATE "C" NOT NULL,
    value TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (workspace, number, attribute)
);

CREATE TABLE agent_load (
    workspace TEXT COLLATE "C" NOT NULL REFERENCES workspace (id),
    agent TEXT COLLATE "C" NOT NULL,
    offered BIGINT NOT NULL,
    accepted BIGINT NOT NULL,
    declined BIGINT NOT NULL,
    completed BIGINT NOT NULL,
    PRIMARY KEY (workspace, agent)
);

CREATE TABLE idempotency (
    workspace TEXT COLLATE "C" NOT NULL,
    key TEXT COLLATE "C" NOT NULL,
    fingerprint BYTEA NOT NULL,
    ticket TEXT COLLATE "C",
    sequence BIGINT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (workspace, key)
);

CREATE INDEX idempotency_at ON idempotency (at);

CREATE TABLE snapshot (
    workspace TEXT COLLATE "C" NOT NULL REFERENCES workspace (id),
    sequence BIGINT NOT NULL,
    part BIGINT NOT NULL,
    parts BIGINT NOT NULL,
    body BYTEA NOT NULL,
    checksum BIGINT NOT NULL,
    PRIMARY KEY (workspace, sequence, part)
);

-- Who may decide and write for a partition of the workspaces; nobody where the holder is empty.
-- Every commit holds its row, so a take-over, which changes it, waits for commits under way.
CREATE TABLE lease (
    partition BIGINT PRIMARY KEY,
    holder TEXT COLLATE "C" NOT NULL,
    epoch BIGINT NOT NULL
);

-- The servers, where each answers its peers, and until when, by the database's clock, each is believed
-- to be there.
CREATE TABLE replica (
    id TEXT COLLATE "C" PRIMARY KEY,
    address TEXT NOT NULL,
    reads BIGINT NOT NULL,
    draining BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
