-- The journal is the truth; every other table is written in the same transaction as its entries.
-- Times are milliseconds since 1970-01-01T00:00:00Z. Truth values are 0 and 1.

CREATE TABLE workspace (
    id TEXT PRIMARY KEY,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What happened, in order and without gaps. Never updated, never holds text, customer or segments.
-- Wide tables have row ids: without them SQLite would give a long body a page of its own.
CREATE TABLE journal (
    workspace TEXT NOT NULL REFERENCES workspace (id),
    sequence INTEGER NOT NULL,
    at INTEGER NOT NULL,
    kind TEXT NOT NULL,
    ticket TEXT,
    agent TEXT,
    actor TEXT,
    format INTEGER NOT NULL, -- how `body` is written; see store/records.rs
    body TEXT NOT NULL,
    PRIMARY KEY (workspace, sequence)
) STRICT;

CREATE INDEX journal_ticket ON journal (workspace, ticket, sequence) WHERE ticket IS NOT NULL;
CREATE INDEX journal_agent ON journal (workspace, agent, sequence) WHERE agent IS NOT NULL;
CREATE INDEX journal_decision ON journal (workspace, sequence) WHERE kind IN ('offer_made', 'ticket_queued');

-- Where each policy version is in the journal.
CREATE TABLE policy (
    workspace TEXT NOT NULL REFERENCES workspace (id),
    version INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    PRIMARY KEY (workspace, version)
) STRICT, WITHOUT ROWID;

-- Where each ticket stands. A ticket's number is the sequence number of its `ticket_received` entry.
CREATE TABLE ticket (
    workspace TEXT NOT NULL REFERENCES workspace (id),
    number INTEGER NOT NULL,
    id TEXT NOT NULL,
    sequence INTEGER NOT NULL, -- newest entry about it
    status TEXT NOT NULL,
    holder TEXT, -- agent who holds the offer or the assignment, or completed it
    assignee TEXT, -- agent who accepted it last
    epoch INTEGER NOT NULL,
    offer_sequence INTEGER, -- entry of the newest offer
    relaxation_step INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    assigned_at INTEGER,
    closed_at INTEGER,
    target_secs INTEGER,
    fast_tracked INTEGER,
    triaged INTEGER,
    reassigned INTEGER NOT NULL,
    outcome TEXT,
    PRIMARY KEY (workspace, number)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX ticket_id ON ticket (workspace, id);
CREATE INDEX ticket_status ON ticket (workspace, status, number);
CREATE INDEX ticket_received ON ticket (workspace, received_at);

-- The wide part of a ticket, written only when it changes.
CREATE TABLE ticket_detail (
    workspace TEXT NOT NULL,
    number INTEGER NOT NULL,
    format INTEGER NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (workspace, number),
    FOREIGN KEY (workspace, number) REFERENCES ticket (workspace, number)
) STRICT;

-- Personal data: text and customer. Nothing that routes reads it.
CREATE TABLE payload (
    workspace TEXT NOT NULL,
    number INTEGER NOT NULL,
    subject TEXT NOT NULL,
    body TEXT NOT NULL,
    customer TEXT NOT NULL,
    PRIMARY KEY (workspace, number),
    FOREIGN KEY (workspace, number) REFERENCES ticket (workspace, number)
) STRICT;

CREATE INDEX payload_customer ON payload (workspace, customer, number) WHERE customer <> '';

-- Segments, for measuring only. Nothing that routes reads them.
CREATE TABLE segment (
    workspace TEXT NOT NULL,
    number INTEGER NOT NULL,
    attribute TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (workspace, number, attribute),
    FOREIGN KEY (workspace, number) REFERENCES ticket (workspace, number)
) STRICT, WITHOUT ROWID;

-- What each agent carried, removed agents too.
CREATE TABLE agent_load (
    workspace TEXT NOT NULL REFERENCES workspace (id),
    agent TEXT NOT NULL,
    offered INTEGER NOT NULL,
    accepted INTEGER NOT NULL,
    declined INTEGER NOT NULL,
    completed INTEGER NOT NULL,
    PRIMARY KEY (workspace, agent)
) STRICT, WITHOUT ROWID;

-- Keys that make retries safe, for a day.
CREATE TABLE idempotency (
    workspace TEXT NOT NULL REFERENCES workspace (id),
    key TEXT NOT NULL,
    fingerprint BLOB NOT NULL,
    ticket TEXT,
    sequence INTEGER NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (workspace, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX idempotency_at ON idempotency (at);
