//! The packs that come with ClawSec, in the binary.

/// A shipped pack: its files, each with definitions of its own.
pub(super) struct Shipped {
    pub(super) name: &'static str,
    pub(super) files: &'static [(&'static str, &'static str)],
}

/// A file of a pack, and the name that messages give it.
macro_rules! file {
    ($path:literal) => {
        ($path, include_str!(concat!("packs/", $path)))
    };
}

/// The pack of the original's patterns.
pub const SEED_PACK: &str = "seed";

/// The packs that are on if nothing is said.
pub const DEFAULT_PACKS: [&str; 5] =
    [SEED_PACK, "credentials", "injection", "prompt_injection", "c2"];

/// Every pack, in the order in which rules are numbered and listed. A file is one line.
pub(super) const PACKS: [Shipped; 6] = [
    Shipped { name: SEED_PACK, files: &[file!("seed.toml")] },
    Shipped {
        name: "credentials",
        files: &[
            file!("credentials/cloud.toml"),
            file!("credentials/code.toml"),
            file!("credentials/ci.toml"),
            file!("credentials/payment.toml"),
            file!("credentials/messaging.toml"),
            file!("credentials/database.toml"),
            file!("credentials/ai.toml"),
            file!("credentials/saas.toml"),
            file!("credentials/crypto.toml"),
            file!("credentials/generic.toml"),
        ],
    },
    Shipped {
        name: "injection",
        files: &[file!("injection.toml"), file!("injection_commands.toml")],
    },
    Shipped { name: "prompt_injection", files: &[file!("prompt_injection.toml")] },
    Shipped { name: "c2", files: &[file!("c2.toml")] },
    Shipped { name: "pii", files: &[file!("pii.toml")] },
];

/// The names of the packs.
pub fn pack_names() -> impl Iterator<Item = &'static str> {
    PACKS.iter().map(|pack| pack.name)
}
