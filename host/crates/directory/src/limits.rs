//! Every bound of the domain, units in the names.

/// Rows in one call of `check`; more is chunked.
pub const CHECK_ROWS: usize = 4_096;
/// Rows in one page of a connection.
pub const PAGE_ROWS: usize = 100;
/// Rows in one page where nobody says.
pub const PAGE_ROWS_DEFAULT: usize = 25;
/// Ids in one `nodes` lookup.
pub const NODES_IDS: usize = 100;
/// Rows that one list may read to fill a page under an inexact scope.
pub const SCAN_ROWS: usize = 10_000;
/// Rows of one level (all siblings' pages together) that a request may hold.
pub const LEVEL_ROWS: usize = 10_000;
/// Groups in one whole tree.
pub const TREE_GROUPS: usize = 100_000;
/// Levels of the group tree.
pub const GROUP_DEPTH: usize = 64;
/// Characters of a name, an address, a title and every other single-line text.
pub const TEXT_CHARS: usize = 256;
/// Characters of a description.
pub const DESCRIPTION_CHARS: usize = 2_048;
/// Characters of one value of a custom attribute.
pub const ATTRIBUTE_CHARS: usize = 256;
/// Values of one custom attribute of one user or group.
pub const ATTRIBUTE_VALUES: usize = 64;
/// Custom attributes that a workspace may declare.
pub const ATTRIBUTES: usize = 100;
/// Characters of a key of a workspace, group, role or attribute.
pub const KEY_CHARS: usize = 128;
/// Characters of one word of the search index.
pub const WORD_CHARS: usize = 64;
/// Words in one search.
pub const SEARCH_WORDS: usize = 8;
/// Conditions in one filter, nested ones included.
pub const FILTER_CONDITIONS: usize = 50;
/// Values in one `in` list of a filter.
pub const FILTER_VALUES: usize = 100;
/// Actions in one permission check.
pub const CHECK_ACTIONS: usize = 50;
/// Bytes of a policy's settings.
pub const SETTINGS_BYTES: usize = 65_536;
/// Bytes of an uploaded module.
pub const MODULE_BYTES: usize = 32 * 1024 * 1024;
/// Rows that an entry of the decision log names of a call that failed.
pub const LOGGED_OBJECTS: usize = 16;
/// Bytes of a reason or a name in the decision log, which a policy or a caller wrote.
pub const LOGGED_BYTES: usize = 512;
/// Names of fields in one entry of the decision log.
pub const LOGGED_NAMES: usize = 64;
/// Users whom one page of "who can" looks at.
pub const WHO_USERS: usize = 250;
/// Entries of the decision log in one page.
pub const LOG_ROWS: usize = 100;
/// Bytes of a workspace's policy tests.
pub const TESTS_BYTES: usize = 256 * 1024;
/// Differences that a report of policy tests names.
pub const TEST_DIFFERENCES: usize = 100;
/// Mistakes of policy tests that are told at once.
pub const TEST_MISTAKES: usize = 50;
/// Modules that one workspace keeps.
pub const MODULES: usize = 100;
/// Bytes of all of them: room for those of the latest versions, however large, and for more.
pub const MODULES_BYTES: usize = 16 * MODULE_BYTES;
/// Latest steps of the history of a workspace's policy that are kept.
pub const HISTORY_STEPS: i64 = 10_000;
/// Latest steps that changed what decides that are kept, however many others came after them.
pub const DECIDING_STEPS: i64 = 1_000;
/// Steps of that history in one page.
pub const HISTORY_PAGE: usize = 100;
/// Reasons that one gate tells, and that one step of the history keeps of all.
pub const REASONS: usize = 50;
/// Milliseconds that one gate may look at a version before it is activated.
pub const GATE_MS: u64 = 30_000;
/// Views of the database that one gate may have beside that of its request: while one waits for the policy, another reads.
pub const GATE_VIEWS: usize = 2;
/// Administrators that the lock-out guard looks at, until it meets one who is not locked out.
pub const GUARD_ADMINISTRATORS: usize = 20;
/// Rows of one kind that scope and check are compared on for one subject: so many that are sampled, and so many that the scope admits.
pub const AGREEMENT_ROWS: usize = 64;
/// Workspaces of which one statement says what decides in them.
pub const LOOK_ROWS: usize = 1_000;
/// Looks between two tries to load a module that does not load.
pub const LOOK_PAUSE: u32 = 16;
/// Users, members or grants in one bulk write.
pub const BULK: usize = 500;
/// Groups and roles that a new user may start with, each.
pub const START_EDGES: usize = 50;
/// Groups that one deletion may take with it, and one move may move.
pub const SUBTREE_GROUPS: usize = 20_000;
/// Days for which the recycle bin keeps what was deleted.
pub const BIN_DAYS: i64 = 30;
/// Hours for which an idempotency key is remembered.
pub const KEY_HOURS: i64 = 24;
/// Characters of an idempotency key.
pub const IDEMPOTENCY_KEY_CHARS: usize = 128;
/// How often a write is decided again because what it was decided on has changed.
pub const WRITE_ATTEMPTS: usize = 12;
/// Characters of a user code, at most and whatever the workspace's rules.
pub const CODE_CHARS: u32 = 64;
/// Tokens that a workspace may have that are neither revoked nor expired.
pub const TOKENS: usize = 1_000;
/// Users and objects, each, that one comparison of policies may name.
pub const COMPARE_NAMED: usize = 100;
/// Subjects, and rows of each kind, that one comparison of policies may sample.
pub const COMPARE_SAMPLE: usize = 500;
/// Versions of a workspace's policy whose modules are kept whatever comes in.
pub const RECENT_VERSIONS: usize = 10;
/// Requests of one workspace at once that upload, try or compare policies, or ask who may.
pub const LONG_WORK: usize = 4;
/// Of these, requests of one person or service: one person alone keeps no colleague out.
pub const LONG_WORK_OF_ONE: usize = 3;
/// Requests of one workspace at once that activate or roll back: nothing else keeps a workspace from repairing its policy.
pub const ACTIVATIONS: usize = 3;
/// Of these, requests of one person or service.
pub const ACTIVATIONS_OF_ONE: usize = 2;
/// Requests of one workspace at once that replace its policy tests, or wait for that.
pub const REPLACEMENTS: usize = 4;
/// Of these, requests of one person or service.
pub const REPLACEMENTS_OF_ONE: usize = 3;
/// Entries of the decision log whose pairs one comparison of policies may look at.
pub const COMPARE_RECORDED: usize = 10_000;
/// Pairs of a subject and a row that one piece of a comparison looks at.
pub const COMPARE_PAIRS: usize = 100_000;
/// Examples of one change of one action in one piece of a comparison.
pub const COMPARE_EXAMPLES: usize = 50;
/// Milliseconds after which a piece of a comparison begins with no further subject.
pub const COMPARE_MS: u64 = 2_000;
/// Subjects that a comparison finds at once.
pub const COMPARE_SUBJECTS: usize = 100;
/// Examples of one change of one action that a shadow keeps, and failures of one policy on one action.
pub const SHADOW_SAMPLES: usize = 5;
/// Questions of one workspace that wait to be put to its shadow.
pub const SHADOW_QUESTIONS: usize = 64;
/// Rows that those questions are about, and the rows of all workspaces' questions.
pub const SHADOW_ROWS: (usize, usize) = (16_384, 131_072);
/// Rows of a kind that are drawn for a shadow where somebody asks for a list.
pub const SHADOW_DRAWN: usize = 32;
/// Milliseconds that a shadow has for one question.
pub const SHADOW_MS: u64 = 2_000;
/// Seconds' worth of a shadow's fuel that a question costs which is cut off: a shadow has a twentieth of a core by default, and such a question
/// kept one busy for [`SHADOW_MS`].
pub const SHADOW_CUT_OFF: u64 = 40;
/// Places that are asked about where an action is asked of the workspace as a whole.
pub const PLACES: usize = 100;
