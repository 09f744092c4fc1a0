//! Bounds of rules and of the files that they come from.

/// The largest file of rules, and the most rules, of one file and of all together.
pub const RULES_FILE_MAX_BYTES: usize = 4 * 1024 * 1024;
pub const RULES_MAX: usize = 4096;
/// The most files that `rules_files` names.
pub const RULES_FILES_MAX: usize = 64;
/// How many files a file of rules may extend, one behind the other: as many as in gitleaks.
pub const RULES_EXTENDED_MAX: usize = 2;
/// The most allowlists of a file itself, and the most rules that they name together.
pub const RULES_ALLOWLISTS_MAX: usize = 256;
pub const RULES_TARGETS_MAX: usize = 4 * RULES_MAX;
/// Of how many keys, or other things that are not used, a file is told.
pub const RULES_NOTES_MAX: usize = 50;
/// The longest id of a rule.
pub const RULE_ID_MAX_CHARS: usize = 100;
/// How deep the definitions of a file may hold each other.
pub const RULE_DEFINITION_DEPTH_MAX: usize = 8;
/// The longest example of a rule, written out, and the longest placeholder in one.
pub const RULE_EXAMPLE_MAX_BYTES: usize = 64 * 1024;
pub const RULE_PLACEHOLDER_MAX_CHARS: usize = 8192;
/// The longest expression with its definitions in place.
pub const EXPRESSION_MAX_BYTES: usize = 32 * 1024;
/// The same as this engine spells it, where Go has a shorter word: `\s` is eleven bytes here.
pub const EXPRESSION_WRITTEN_MAX_BYTES: usize = 8 * EXPRESSION_MAX_BYTES;
/// How deep its groups nest, and its largest program.
pub const EXPRESSION_NESTING_MAX: u32 = 100;
pub const EXPRESSION_PROGRAM_MAX_BYTES: usize = 10 * 1024 * 1024;
/// How far around a match its rule looks: for keywords, for its line, for what follows it.
pub const RULE_NEAR_BYTES: usize = 1024;

const _: () = assert!(RULE_NEAR_BYTES < super::SCAN_CARRY_BYTES);

/// How much of that on either side a validator reads of a command or a sentence: doubtful matches come in floods.
pub const RULE_COMMAND_NEAR_BYTES: usize = 256;

const _: () = assert!(RULE_COMMAND_NEAR_BYTES < RULE_NEAR_BYTES);

/// The largest file of compiled rules, and how many are kept.
pub const RULE_CACHE_FILE_MAX_BYTES: u64 = 256 * 1024 * 1024;
pub const RULE_CACHE_FILES_KEPT: usize = 8;
/// What has been written for so long was given up: whoever wrote it was killed.
pub const RULE_CACHE_WRITE_SECS: u64 = 3600;
