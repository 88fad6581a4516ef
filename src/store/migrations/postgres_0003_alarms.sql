-- As SQLite's step 4; what it means is said there.

CREATE INDEX journal_alarm ON journal (workspace, sequence) WHERE kind IN ('alarm_raised', 'alarm_acknowledged');
