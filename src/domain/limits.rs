//! Every bound of the service, named with its unit. The API documentation states the same numbers.

/// Longest identifier, in characters.
pub const ID_CHARS_MAX: usize = 64;
/// Longest channel name, in characters.
pub const CHANNEL_CHARS_MAX: usize = 64;
/// Longest subject, in characters.
pub const SUBJECT_CHARS_MAX: usize = 512;
/// Longest ticket body, and longest text to classify, in characters.
pub const BODY_CHARS_MAX: usize = 20_000;
/// Longest customer reference, in characters.
pub const CUSTOMER_CHARS_MAX: usize = 128;
/// Longest display name, in characters.
pub const DISPLAY_NAME_CHARS_MAX: usize = 128;
/// Longest note of whoever acknowledges an alarm, in characters.
pub const NOTE_CHARS_MAX: usize = 512;
/// Fewest tickets of a group, and of all others, behind an alarm.
pub const ALARM_TICKETS_MIN: u64 = 10;
/// How long the fate of a ticket is waited for where the workspace does not say, in seconds (1 day).
pub const OUTCOME_WAIT_SECS_DEFAULT: u32 = 24 * 3600;
/// Shortest such wait, in seconds (1 hour).
pub const OUTCOME_WAIT_SECS_MIN: u32 = 3600;
/// Longest such wait, in seconds (30 days).
pub const OUTCOME_WAIT_SECS_MAX: u32 = 30 * 24 * 3600;
/// Fewest tickets behind a number of a segment that is shown, where the configuration does not say.
pub const SHOWN_TICKETS_MIN_DEFAULT: u64 = 10;
/// Most groups of an attribute that are watched one by one; tickets of further ones are watched together.
pub const WATCHED_GROUPS_MAX: usize = 64;
/// Longest skill description, in characters.
pub const DESCRIPTION_CHARS_MAX: usize = 256;
/// Most segment attributes of a workspace or a ticket.
pub const SEGMENTS_MAX: usize = 16;
/// Longest segment or attribute name, in characters.
pub const ATTRIBUTE_NAME_CHARS_MAX: usize = 64;
/// Longest segment value, in characters.
pub const SEGMENT_VALUE_CHARS_MAX: usize = 64;
/// Most routing attributes of a ticket.
pub const ATTRIBUTES_MAX: usize = 32;
/// Longest routing attribute value, in characters.
pub const ATTRIBUTE_VALUE_CHARS_MAX: usize = 256;
/// Most skill requirements of a ticket or a route.
pub const REQUIREMENTS_MAX: usize = 10;
/// Most alternatives of a skill requirement.
pub const ALTERNATIVES_MAX: usize = 5;
/// Most preferred skills of a route.
pub const PREFERRED_MAX: usize = 5;
/// Most skills of an agent.
pub const AGENT_SKILLS_MAX: usize = 64;
/// Most channels an agent's profile lists.
pub const AGENT_CHANNELS_MAX: usize = 32;
/// Most units of capacity.
pub const CAPACITY_UNITS_MAX: u32 = 100;
/// Highest proficiency.
pub const PROFICIENCY_MAX: u8 = 5;
/// Highest declared speed of an agent.
pub const SPEED_MAX: u32 = 1_000_000;
/// Highest ticket priority.
pub const PRIORITY_MAX: u8 = 10;
/// Most weights of age: one for each priority.
pub const AGEING_WEIGHTS_MAX: usize = PRIORITY_MAX as usize + 1;
/// Greatest weight of age, in thousandths.
pub const AGEING_WEIGHT_MILLI_MAX: u32 = 1_000_000;
/// Longest reason word, in characters.
pub const REASON_CHARS_MAX: usize = 64;
/// Longest intent label, in characters.
pub const INTENT_CHARS_MAX: usize = 64;
/// Longest idempotency key, in characters.
pub const IDEMPOTENCY_KEY_CHARS_MAX: usize = 64;
/// How long an idempotency key is remembered, in seconds.
pub const IDEMPOTENCY_WINDOW_SECS: u32 = 24 * 3600;
/// Longest head start that a route or an urgency gives, in seconds.
pub const HEAD_START_SECS_MAX: u32 = 3600;
/// Longest head start of one priority point, in seconds.
pub const PRIORITY_POINT_SECS_MAX: u32 = 600;
/// Longest service-level target, and latest triage, in seconds (30 days).
pub const TARGET_SECS_MAX: u32 = 30 * 24 * 3600;
/// Latest relaxation step, and longest wait for an offline agent's assignment, in seconds (7 days).
pub const RELAXATION_SECS_MAX: u32 = 7 * 24 * 3600;
/// Longest offer timeout and longest decline back-off, in seconds (1 day).
pub const OFFER_TIMEOUT_SECS_MAX: u32 = 24 * 3600;
/// Longest presence lease and longest wrap-up, in seconds.
pub const PRESENCE_LEASE_SECS_MAX: u32 = 3600;
/// Longest wait for a reading before rules read, in milliseconds.
pub const READING_WAIT_MS_MAX: u32 = 60_000;
/// Longest time that tickets and agents gather before they are matched together, in milliseconds.
pub const GATHER_MS_MAX: u32 = 10_000;
/// Lowest occupancy ceiling, in percent.
pub const OCCUPANCY_PERCENT_MIN: u8 = 50;
/// Highest occupancy ceiling, in percent.
pub const OCCUPANCY_PERCENT_MAX: u8 = 99;
/// Shortest busy time beyond the occupancy ceiling before a rest, in seconds.
pub const BURST_SECS_MIN: u32 = 60;
/// Longest busy time beyond the occupancy ceiling before a rest, in seconds (10 hours).
pub const BURST_SECS_MAX: u32 = 36_000;
/// Longest time over which the capacity of an agent who signs in grows, in seconds.
pub const RAMP_UP_SECS_MAX: u32 = 3600;
/// Longest wait of a ticket for the agent it would like, in seconds (1 day).
pub const PREFERRED_AGENT_WAIT_SECS_MAX: u32 = 24 * 3600;
/// Most channels whose tickets may be laid aside.
pub const INTERRUPTIBLE_CHANNELS_MAX: usize = 64;
/// Most routes of a policy.
pub const ROUTES_MAX: usize = 256;
/// Most values in each list of a route's match, and most language skills.
pub const MATCH_VALUES_MAX: usize = 64;
/// Longest condition of a route, in characters: half a page, parsed within a few milliseconds.
pub const CONDITION_CHARS_MAX: usize = 1_000;
/// Most parts of a condition inside each other. Parsing takes stack for each, and keeps within 256 KiB
/// at this depth; our threads have 2 MiB.
pub const CONDITION_DEPTH_MAX: u16 = 16;
/// Most intervals of a calendar's week. Never lowered: journals must stay readable; nor are the next two.
pub const CALENDAR_WEEKLY_INTERVALS_MAX: usize = 64;
/// Most dates with hours of their own (a year's worth).
pub const CALENDAR_EXCEPTIONS_MAX: usize = 366;
/// Most intervals of a date with hours of its own.
pub const CALENDAR_DATE_INTERVALS_MAX: usize = 24;
/// How far ahead a change of a calendar is looked for, in days: a year's holidays and some more.
pub const CALENDAR_CHANGE_DAYS_MAX: i64 = 400;
/// How much time of a calendar is looked at when open time is counted, in days (about 100 years).
pub const CALENDAR_COUNT_DAYS_MAX: i64 = 36_525;
/// Most relaxation steps of a policy.
pub const RELAXATION_STEPS_MAX: usize = 16;
/// Most words that a reading names for each of intent, sentiment and urgency.
pub const EVIDENCE_WORDS_MAX: usize = 3;
/// Most texts of one Classify call.
pub const CLASSIFY_TEXTS_MAX: usize = 64;
/// Most messages of one SubmitTickets stream.
pub const BULK_TICKETS_MAX: usize = 10_000;
/// Most items in a page.
pub const PAGE_SIZE_MAX: u32 = 500;
/// Items in a page when the caller does not say.
pub const PAGE_SIZE_DEFAULT: u32 = 50;
/// Most offer streams of one agent.
pub const STREAMS_PER_AGENT_MAX: usize = 8;
/// Most tickets of a workspace that are neither completed nor cancelled.
pub const OPEN_TICKETS_MAX: usize = 2_000_000;
/// Most agents of a workspace.
pub const AGENTS_MAX: usize = 10_000;
/// Most skills of a workspace.
pub const SKILLS_MAX: usize = 1_000;
/// Most workspaces of a server.
pub const WORKSPACES_MAX: usize = 1_000;
/// Most tickets, and most agents, that are matched together.
pub const BATCH_TICKETS_MAX: usize = 1_000;
/// See [`BATCH_TICKETS_MAX`].
pub const BATCH_AGENTS_MAX: usize = 1_000;
/// Candidates named in a decision record.
pub const DECISION_CANDIDATES_MAX: usize = 5;
/// Agents named for each exclusion rule in a decision record.
pub const EXCLUSION_AGENTS_MAX: usize = 3;
/// Entries, of an agent who fits a group of tickets with equal needs, beyond which groups without
/// tickets are forgotten.
pub const MEMBERSHIPS_KEPT_MAX: usize = 4_000_000;
/// Needs without anybody on duty that are shown, those of most tickets first.
pub const UNSTAFFED_SHOWN_MAX: usize = 100;
/// Ways for tickets to loosen their needs, beyond which those without tickets are forgotten.
pub const LADDERS_KEPT_MAX: usize = 8_192;
/// Different plans, and different facts of intake, that tickets share.
pub const SHARED_MAX: usize = 65_536;
/// Different needs whose pace is known, beyond which all paces are learnt anew.
pub const PACES_KEPT_MAX: usize = 65_536;
/// Tickets ahead of one that are counted to estimate its wait.
pub const AHEAD_COUNTED_MAX: usize = 1_000;
/// Agents who passed on a ticket that it remembers.
pub const DECLINERS_KEPT_MAX: usize = 32;
/// Most groups of an attribute in a log of decisions: comparing them takes the square of it for each
/// different wait.
pub const AUDIT_GROUPS_MAX: usize = 200;
/// Most groups of an intersection of attributes in a log of decisions, with those that are empty.
pub const AUDIT_CELLS_MAX: usize = 10_000;
/// Most segments of an attribute or intersection that are counted apart, the first by name; the others
/// are counted together.
pub const ACCUMULATED_SEGMENTS_MAX: usize = 64;
/// Greatest number of tickets that a report may be asked to have behind each figure.
pub const REPORT_GROUP_TICKETS_MIN_MAX: u64 = 1_000_000;
/// Most windows that are kept beside the counts since the start.
pub const ACCUMULATED_WINDOWS_MAX: usize = 24;

/// Entries of a journal after which a new snapshot of its workspace is taken; a start reads no more than these and
/// those that came while it was taken, some 200,000 a second.
pub const SNAPSHOT_ENTRIES: u64 = 50_000;
