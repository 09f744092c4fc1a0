//! Field names that mean something to a proxy, the fields of a head, and the comma lists in their
//! values. Knows what a name is, not what to do about it.

/// A field name that a proxy acts on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FieldName {
    Connection,
    ContentLength,
    Expect,
    Host,
    Http2Settings,
    KeepAlive,
    MaxForwards,
    ProxyAuthenticate,
    ProxyAuthenticationInfo,
    ProxyAuthorization,
    ProxyConnection,
    Te,
    Trailer,
    TransferEncoding,
    Upgrade,
    Other,
}

impl FieldName {
    /// Tells a name, case-insensitively; most are settled by their length.
    pub(super) fn of(name: &str) -> FieldName {
        let candidates: &[(&str, FieldName)] = match name.len() {
            2 => &[("te", FieldName::Te)],
            4 => &[("host", FieldName::Host)],
            6 => &[("expect", FieldName::Expect)],
            7 => &[("upgrade", FieldName::Upgrade), ("trailer", FieldName::Trailer)],
            10 => &[("connection", FieldName::Connection), ("keep-alive", FieldName::KeepAlive)],
            12 => &[("max-forwards", FieldName::MaxForwards)],
            14 => &[
                ("content-length", FieldName::ContentLength),
                ("http2-settings", FieldName::Http2Settings),
            ],
            16 => &[("proxy-connection", FieldName::ProxyConnection)],
            17 => &[("transfer-encoding", FieldName::TransferEncoding)],
            18 => &[("proxy-authenticate", FieldName::ProxyAuthenticate)],
            19 => &[("proxy-authorization", FieldName::ProxyAuthorization)],
            25 => &[("proxy-authentication-info", FieldName::ProxyAuthenticationInfo)],
            _ => &[],
        };
        let Some(first) = name.as_bytes().first() else { return FieldName::Other };
        let is = |candidate: &str| {
            candidate.as_bytes().first() == Some(&first.to_ascii_lowercase())
                && name.eq_ignore_ascii_case(candidate)
        };
        let known = candidates.iter().find(|(candidate, _)| is(candidate));
        known.map_or(FieldName::Other, |(_, field)| *field)
    }
}

/// One field: name and value as parsed, and the line they came from with its CRLF.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Field<'b> {
    pub(super) name: &'b str,
    pub(super) value: &'b [u8],
    pub(super) line: &'b [u8],
}

/// The fields of a head, in order, duplicates kept.
#[derive(Clone, Debug)]
pub(super) struct Fields<'b> {
    /// One allocation of exactly the size needed: cheaper than carrying room for the largest head
    /// around.
    parsed: Vec<httparse::Header<'b>>,
    /// The lines behind the start line, each one field: folded lines are refused.
    lines: &'b [u8],
}

impl<'b> Fields<'b> {
    /// `head` is a whole head, `parsed` its fields.
    pub(super) fn new(head: &'b [u8], parsed: Vec<httparse::Header<'b>>) -> Self {
        Fields { parsed, lines: split_line(head).1 }
    }

    pub(super) fn pairs(&self) -> impl Iterator<Item = (&'b str, &'b [u8])> + Clone + '_ {
        self.parsed.iter().map(|header| (header.name, header.value))
    }

    pub(super) fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'b [u8]> + 'a {
        let named = self.pairs().filter(move |(other, _)| other.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Field<'b>> + '_ {
        let mut rest = self.lines;
        self.pairs().map(move |(name, value)| {
            let (line, behind) = split_line(rest);
            rest = behind;
            Field { name, value, line }
        })
    }

    /// The options of all Connection fields (RFC 9110 §7.6.1).
    pub(super) fn connection_options(&self) -> impl Iterator<Item = &'b [u8]> + '_ {
        self.values("connection").flat_map(list_items)
    }
}

/// Splits behind the first LF.
fn split_line(bytes: &[u8]) -> (&[u8], &[u8]) {
    let end = memchr::memchr(b'\n', bytes).map_or(bytes.len(), |line_feed| line_feed + 1);
    bytes.split_at_checked(end).unwrap_or((bytes, &[]))
}

/// The members of a comma list without the whitespace around them; empty ones are skipped (RFC 9110
/// §5.6.1).
pub(super) fn list_items(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    let items = value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
    items.filter(|item| !item.is_empty())
}

/// Whether a byte may stand in a token (RFC 9110 §5.6.2).
pub(super) fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Whether a byte may stand in a field value (RFC 9110 §5.5): visible, blank, or obs-text.
pub(super) fn is_value_byte(byte: u8) -> bool {
    matches!(byte, b'\t' | b' '..=b'~' | 0x80..)
}
