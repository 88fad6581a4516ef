-- Checksums of records; what was written before has none. State as it was at an entry of the journal, in
-- parts, so that a start reads only what came after.

ALTER TABLE journal ADD COLUMN checksum INTEGER;
ALTER TABLE ticket_detail ADD COLUMN checksum INTEGER;
ALTER TABLE payload ADD COLUMN checksum INTEGER;

CREATE TABLE snapshot (
    workspace TEXT NOT NULL REFERENCES workspace (id),
    sequence INTEGER NOT NULL, -- newest entry that is in it
    part INTEGER NOT NULL, -- 1 to `parts`
    parts INTEGER NOT NULL,
    body BLOB NOT NULL,
    checksum INTEGER NOT NULL,
    PRIMARY KEY (workspace, sequence, part)
) STRICT;
