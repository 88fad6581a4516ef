//! The tables as a batch writes them.

use super::database::{
    Table,
    Type::{Bytes, Integer, Text},
};

pub(super) const WORKSPACE: Table =
    Table { name: "workspace", columns: &[("id", Text), ("created_at", Integer)], conflict: "" };

pub(super) const JOURNAL: Table = Table {
    name: "journal",
    columns: &[
        ("workspace", Text),
        ("sequence", Integer),
        ("at", Integer),
        ("kind", Text),
        ("ticket", Text),
        ("agent", Text),
        ("actor", Text),
        ("format", Integer),
        ("body", Text),
        ("checksum", Integer),
    ],
    conflict: "",
};

pub(super) const POLICY: Table = Table {
    name: "policy",
    columns: &[("workspace", Text), ("version", Integer), ("sequence", Integer)],
    conflict: "",
};

pub(super) const AGENT_LOAD: Table = Table {
    name: "agent_load",
    columns: &[
        ("workspace", Text),
        ("agent", Text),
        ("offered", Integer),
        ("accepted", Integer),
        ("declined", Integer),
        ("completed", Integer),
    ],
    conflict: "ON CONFLICT (workspace, agent) DO UPDATE SET
        offered = agent_load.offered + excluded.offered,
        accepted = agent_load.accepted + excluded.accepted,
        declined = agent_load.declined + excluded.declined,
        completed = agent_load.completed + excluded.completed",
};

pub(super) const TICKET: Table = Table {
    name: "ticket",
    columns: &[
        ("workspace", Text),
        ("number", Integer),
        ("id", Text),
        ("sequence", Integer),
        ("status", Text),
        ("holder", Text),
        ("assignee", Text),
        ("epoch", Integer),
        ("offer_sequence", Integer),
        ("relaxation_step", Integer),
        ("received_at", Integer),
        ("assigned_at", Integer),
        ("closed_at", Integer),
        ("target_secs", Integer),
        ("fast_tracked", Integer),
        ("triaged", Integer),
        ("reassigned", Integer),
        ("outcome", Text),
    ],
    conflict: "ON CONFLICT (workspace, number) DO UPDATE SET
        sequence = excluded.sequence, status = excluded.status, holder = excluded.holder,
        assignee = excluded.assignee, epoch = excluded.epoch,
        offer_sequence = excluded.offer_sequence,
        relaxation_step = excluded.relaxation_step, assigned_at = excluded.assigned_at,
        closed_at = excluded.closed_at, target_secs = excluded.target_secs,
        fast_tracked = excluded.fast_tracked, triaged = excluded.triaged,
        reassigned = excluded.reassigned, outcome = excluded.outcome",
};

pub(super) const TICKET_DETAIL: Table = Table {
    name: "ticket_detail",
    columns: &[
        ("workspace", Text),
        ("number", Integer),
        ("format", Integer),
        ("body", Text),
        ("checksum", Integer),
    ],
    conflict: "ON CONFLICT (workspace, number) DO UPDATE SET
        format = excluded.format, body = excluded.body, checksum = excluded.checksum",
};

pub(super) const PAYLOAD: Table = Table {
    name: "payload",
    columns: &[
        ("workspace", Text),
        ("number", Integer),
        ("subject", Text),
        ("body", Text),
        ("customer", Text),
        ("checksum", Integer),
    ],
    conflict: "",
};

pub(super) const SEGMENT: Table = Table {
    name: "segment",
    columns: &[("workspace", Text), ("number", Integer), ("attribute", Text), ("value", Text)],
    conflict: "",
};

/// A key may be there from before its window ended.
pub(super) const IDEMPOTENCY: Table = Table {
    name: "idempotency",
    columns: &[
        ("workspace", Text),
        ("key", Text),
        ("fingerprint", Bytes),
        ("ticket", Text),
        ("sequence", Integer),
        ("at", Integer),
    ],
    conflict: "ON CONFLICT (workspace, key) DO UPDATE SET
        fingerprint = excluded.fingerprint, ticket = excluded.ticket,
        sequence = excluded.sequence, at = excluded.at",
};

pub(super) const EVENT_CURSOR: Table = Table {
    name: "event_cursor",
    columns: &[("workspace", Text), ("sink", Text), ("sequence", Integer)],
    conflict: "ON CONFLICT (workspace, sink) DO UPDATE SET sequence = excluded.sequence",
};

/// A part may be there from a snapshot that was not finished.
pub(super) const SNAPSHOT: Table = Table {
    name: "snapshot",
    columns: &[
        ("workspace", Text),
        ("sequence", Integer),
        ("part", Integer),
        ("parts", Integer),
        ("body", Bytes),
        ("checksum", Integer),
    ],
    conflict: "ON CONFLICT (workspace, sequence, part) DO UPDATE SET
        parts = excluded.parts, body = excluded.body, checksum = excluded.checksum",
};
