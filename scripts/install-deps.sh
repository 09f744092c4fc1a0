#!/usr/bin/env bash
# Installs the system packages that building (`build`) and testing (`test`) need and this machine lacks.
# Debian and Ubuntu only; elsewhere it says what to install. Does nothing, quickly, when nothing is missing.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf 'clawsec: %s\n' "$*" >&2; }

have() { command -v "$1" >/dev/null 2>&1; }

# The static library goes into the binary, so the package is needed to build only.
have_hyperscan() {
    have pkg-config && pkg-config --exists libhs &&
        [ -e "$(pkg-config --variable=libdir libhs)/libhs.a" ]
}

have_cxx() { have c++ || have g++; }

have_venv() { python3 -c 'import ensurepip, venv' >/dev/null 2>&1; }

# Debian keeps it where a user's PATH may not look.
have_nginx() { have nginx || [ -x /usr/sbin/nginx ]; }

# Each line: the check, the Debian package that makes it true.
build_needs=(
    'have cc|gcc'
    'have_cxx|g++'
    'have make|make'
    'have git|git'
    'have pkg-config|pkg-config'
    'have_hyperscan|libhyperscan-dev'
)
test_needs=(
    'have curl|curl'
    'have openssl|openssl'
    'have_nginx|nginx-light'
    'have python3|python3'
    'have_venv|python3-venv'
    'have node|nodejs'
    'have npm|npm'
    'have flock|util-linux'
    'have wget|wget'
)

missing_packages() {
    local group need
    for group in "$@"; do
        local -n needs="${group}_needs"
        for need in "${needs[@]}"; do
            ${need%%|*} || printf '%s\n' "${need##*|}"
        done
    done
}

check_machine() {
    if [ "$(uname -s)" != Linux ]; then
        say "ClawSec runs on Linux only (io_uring); this is $(uname -s). Use Docker, see README.md."
        exit 1
    fi
    case "$(uname -m)" in
        x86_64 | amd64) ;;
        *)
            say "ClawSec needs Hyperscan, which exists for x86-64 only; this is $(uname -m)."
            exit 1
            ;;
    esac
}

check_rust() {
    local wanted found
    wanted=$(sed -n 's/^rust-version *= *"\(.*\)"/\1/p' Cargo.toml)
    if ! have cargo || ! have rustc; then
        say "Rust is missing. Install $wanted or newer from https://rustup.rs and run this again:"
        say "  curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh"
        [ ! -e "$HOME/.cargo/env" ] || say "It may only be missing in PATH: . \"\$HOME/.cargo/env\""
        exit 1
    fi
    found=$(rustc --version | awk '{print $2}')
    if [ "$(printf '%s\n%s\n' "$wanted" "${found%%-*}" | sort -V | head -n 1)" != "$wanted" ]; then
        say "Rust $found is too old, $wanted or newer is needed: rustup update stable"
        exit 1
    fi
}

install_packages() {
    local root=()
    if ! have apt-get; then
        say "These are missing, by their Debian names: $*"
        say "This system has no apt-get; install what corresponds, then run this again. Fedora:"
        say "  sudo dnf install gcc gcc-c++ make git pkgconf-pkg-config hyperscan-devel curl openssl \\"
        say "    nginx python3 nodejs npm util-linux wget"
        say "(the static library libhs.a is needed; where a distribution leaves it out, build Hyperscan 5.4)"
        exit 1
    fi
    if [ "$(id -u)" -ne 0 ]; then
        # Without a terminal nobody can type a password.
        if ! have sudo || { [ ! -t 0 ] && ! sudo -n true 2>/dev/null; }; then
            say "Missing packages, and no way to install them as $(id -un). Run as root:"
            say "  apt-get install --no-install-recommends $*"
            exit 1
        fi
        root=(sudo)
    fi
    say "installing missing packages: $*"
    # A fresh machine may be busy with upgrades of its own: wait for them.
    local apt=("${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300)
    # An image's package lists may be absent or too old; a first try saves the download where they are not.
    "${apt[@]}" install -y --no-install-recommends "$@" </dev/null >/dev/null 2>&1 && return
    "${apt[@]}" update </dev/null
    "${apt[@]}" install -y --no-install-recommends "$@" </dev/null
}

check_machine
missing=$(missing_packages "$@")
if [ -n "$missing" ]; then
    # Package names hold no blanks: the list splits where it should.
    # shellcheck disable=SC2086
    install_packages $missing
    missing=$(missing_packages "$@")
    if [ -n "$missing" ]; then
        say "still missing after the installation:" $missing
        exit 1
    fi
fi
check_rust
