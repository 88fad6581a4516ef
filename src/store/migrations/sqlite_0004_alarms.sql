-- Alarms are few; finding them must not read the journal.

CREATE INDEX journal_alarm ON journal (workspace, sequence) WHERE kind IN ('alarm_raised', 'alarm_acknowledged');
