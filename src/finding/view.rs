//! How a text was come by: the steps from the bytes on the wire to what was scanned.

use std::fmt;

use crate::limits::VIEW_STEPS_MAX;

const _: () = assert!(VIEW_STEPS_MAX == size_of::<u64>());

/// The last `limits::VIEW_STEPS_MAX` steps, outermost first. The empty view is the bytes as they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct View {
    /// One byte a step, the innermost lowest.
    steps: u64,
}

impl View {
    /// The view one step further in.
    #[must_use]
    pub fn then(self, step: Step) -> View {
        View { steps: self.steps << 8 | u64::from(step.number()) }
    }

    /// The view of the same in what one step made; none of its steps goes for it.
    #[must_use]
    pub fn within(self, step: Step) -> View {
        let count = self.steps().count();
        if count >= VIEW_STEPS_MAX {
            return self;
        }
        View { steps: self.steps | u64::from(step.number()) << (8 * count) }
    }

    /// Whether it is the bytes as they are.
    pub fn is_plain(self) -> bool {
        self.steps == 0
    }

    /// The steps, outermost first.
    pub fn steps(self) -> impl Iterator<Item = Step> {
        self.steps.to_be_bytes().into_iter().filter_map(Step::from_number)
    }
}

/// As in `gzip>sse>json`.
impl fmt::Display for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, step) in self.steps().enumerate() {
            f.write_str(if place == 0 { "" } else { ">" })?;
            f.write_str(step.as_str())?;
        }
        Ok(())
    }
}

macro_rules! steps {
    ($($(#[doc = $doc:literal])* $step:ident = $name:literal,)*) => {
        /// One step of a view.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Step {
            $($(#[doc = $doc])* $step,)*
        }

        impl Step {
            /// Every step.
            pub const ALL: &[Step] = &[$(Step::$step),*];

            /// The name in `threats.jsonl`.
            pub fn as_str(self) -> &'static str {
                match self { $(Step::$step => $name,)* }
            }
        }
    };
}

steps! {
    /// Content codings (RFC 9110 §8.4.1), and the same formats where they stand in a text; permessage-deflate of
    /// WebSocket messages (RFC 7692).
    Gzip = "gzip",
    Deflate = "deflate",
    Brotli = "br",
    Zstd = "zstd",
    /// The chunks of an upload to S3.
    AwsChunked = "aws_chunked",
    /// What stands in the lines before the chunks of a body (RFC 9112 §7.1.1), and its pieces together.
    ChunkExtensions = "chunk_extensions",
    /// The members of an archive.
    Tar = "tar",
    Zip = "zip",
    /// The streams of a document, and what its pages show.
    Pdf = "pdf",
    /// The objects of a pack of git, and the lines that it is sent between.
    Git = "git",
    /// The strings of a JSON text, unescaped.
    Json = "json",
    /// A command whose words, and settings whose names and values, are strings of their own in it.
    Argv = "argv",
    Setting = "setting",
    /// A text whose pieces are strings of their own in it, since they look different.
    RichText = "rich_text",
    /// The events of a stream, and what their pieces of text are together.
    Sse = "sse",
    Ndjson = "ndjson",
    JsonArray = "json_array",
    AwsEvents = "aws_events",
    /// The text that the messages of a connection are together.
    Messages = "messages",
    Form = "form",
    Multipart = "multipart",
    /// What stands behind the head of a mail.
    Mail = "mail",
    QuotedPrintable = "quoted_printable",
    /// The messages of gRPC and its kin, and the strings of a protobuf message.
    Grpc = "grpc",
    Protobuf = "protobuf",
    /// The runs of text in binary data.
    Strings = "strings",
    Utf16 = "utf16",
    Utf32 = "utf32",
    Base64 = "base64",
    Base32 = "base32",
    Hex = "hex",
    /// Bytes as a list of decimal numbers.
    Numbers = "numbers",
    /// Lines of an offset and bytes in hex, as `xxd` and `hexdump` print them.
    Hexdump = "hexdump",
    Percent = "percent",
    /// Escapes of characters by their number (`\u002f`, `\x2f`).
    Unicode = "unicode",
    Html = "html",
    /// What HTML and XML show, without their tags.
    Markup = "markup",
    /// Characters without a width, taken out.
    Invisible = "invisible",
    Nul = "nul",
    /// Compatibility forms (fullwidth and the like) of plain characters.
    Compat = "compat",
    Homoglyph = "homoglyph",
    /// Quotes and variables that a shell takes out of a word.
    Shell = "shell",
    /// Colours and other control sequences of a terminal, taken out.
    Ansi = "ansi",
    /// Signs within words that Markdown escapes (`npm\_…`).
    Markdown = "markdown",
}

impl Step {
    fn from_number(number: u8) -> Option<Step> {
        Step::ALL.iter().copied().find(|step| step.number() == number)
    }

    /// Not zero, which stands for no step.
    fn number(self) -> u8 {
        self as u8 + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_told_outermost_first() {
        let view = View::default().then(Step::Gzip).then(Step::Sse).then(Step::Json);
        assert_eq!(view.to_string(), "gzip>sse>json");
        assert!(View::default().is_plain() && !view.is_plain());
        assert_eq!(View::default().to_string(), "");
    }

    #[test]
    fn at_the_bound_all_steps_are_told_and_one_past_it_the_outermost_is_not() {
        let deep = |count| (0..count).fold(View::default(), |view, _| view.then(Step::Base64));
        let told = |view: View| view.steps().count();
        assert_eq!(told(deep(VIEW_STEPS_MAX)), VIEW_STEPS_MAX);
        let past = View::default().then(Step::Gzip).then(Step::Zip);
        let past = (1..VIEW_STEPS_MAX).fold(past, |view, _| view.then(Step::Base64));
        assert_eq!(past.steps().next(), Some(Step::Zip));
    }

    #[test]
    fn what_stands_around_it_is_told_first_as_long_as_there_is_room() {
        let json = View::default().then(Step::Json);
        assert_eq!(json.within(Step::Deflate).to_string(), "deflate>json");
        assert_eq!(View::default().within(Step::Deflate).to_string(), "deflate");
        let deep = (1..VIEW_STEPS_MAX).fold(View::default(), |view, _| view.then(Step::Base64));
        let full = deep.within(Step::Deflate);
        assert_eq!(full.steps().next(), Some(Step::Deflate));
        assert_eq!(full.within(Step::Zip), full);
    }

    #[test]
    fn every_step_has_a_name_and_a_number_of_its_own() {
        for (place, step) in Step::ALL.iter().enumerate() {
            assert_eq!(Step::from_number(step.number()), Some(*step));
            assert!(Step::ALL.iter().skip(place + 1).all(|other| other.as_str() != step.as_str()));
        }
    }
}
