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
/// Most skills of an agent.
pub const AGENT_SKILLS_MAX: usize = 64;
/// Most channels an agent's profile lists.
pub const AGENT_CHANNELS_MAX: usize = 32;
/// Most units of capacity.
pub const CAPACITY_UNITS_MAX: u32 = 100;
/// Highest proficiency.
pub const PROFICIENCY_MAX: u8 = 5;
/// Highest ticket priority.
pub const PRIORITY_MAX: u8 = 10;
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
/// Most routes of a policy.
pub const ROUTES_MAX: usize = 256;
/// Most values in each list of a route's match, and most language skills.
pub const MATCH_VALUES_MAX: usize = 64;
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
pub const OPEN_TICKETS_MAX: usize = 200_000;
/// Most agents of a workspace.
pub const AGENTS_MAX: usize = 10_000;
/// Most skills of a workspace.
pub const SKILLS_MAX: usize = 1_000;
/// Most workspaces of a server.
pub const WORKSPACES_MAX: usize = 1_000;
/// Candidates named in a decision record.
pub const DECISION_CANDIDATES_MAX: usize = 5;
/// Agents named for each exclusion rule in a decision record.
pub const EXCLUSION_AGENTS_MAX: usize = 3;
