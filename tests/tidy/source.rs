//! A Rust file as tidy sees it: comments and literals blanked, tests cut off, functions measured.

/// A source, and the same with everything but code made blank; lines stay where they are.
pub struct Source {
    pub text: String,
    pub code: String,
}

/// A function with a body.
pub struct Function {
    pub name: String,
    /// Where it begins, from 1.
    pub line: usize,
    /// From its signature to its last brace.
    pub lines: usize,
}

impl Source {
    /// All of a file.
    pub fn new(text: &str) -> Source {
        Source { text: text.to_owned(), code: blanked(text) }
    }

    /// A file without its test modules.
    pub fn without_tests(text: &str) -> Source {
        let Source { mut text, mut code } = Source::new(text);
        while let Some(start) = code.find("#[cfg(test)]") {
            let rest = &code[start..];
            let item_end = match (rest.find('{'), rest.find(';')) {
                (Some(open), semicolon) if semicolon.is_none_or(|at| open < at) => {
                    start + closing_brace(rest, open) + 1
                }
                (_, Some(semicolon)) => start + semicolon + 1,
                _ => code.len(),
            };
            let removed = code[start..item_end].to_owned();
            let is_last = code[item_end..].trim().is_empty();
            let item_end = if is_last { code.len() } else { item_end };
            let blank = if is_last { String::new() } else { lines_only(&removed) };
            code.replace_range(start..item_end, &blank);
            // A blanked character of several bytes is as many spaces: both texts have the same offsets.
            text.replace_range(start..item_end, &blank);
        }
        Source { text, code }
    }

    /// The lines, from 1, that hold this word or path as such.
    pub fn lines_with<'a>(&'a self, word: &'a str) -> impl Iterator<Item = usize> + 'a {
        let holds = move |line: &str| {
            line.match_indices(word).any(|(at, _)| {
                let before = line[..at].chars().next_back();
                let after = line[at + word.len()..].chars().next();
                let joins =
                    |edge: Option<char>| edge.is_some_and(|c| c.is_alphanumeric() || c == '_');
                !joins(before) && (word.ends_with(':') || !joins(after))
            })
        };
        self.code.lines().enumerate().filter(move |(_, line)| holds(line)).map(|(at, _)| at + 1)
    }

    /// Every function that has a body.
    pub fn functions(&self) -> impl Iterator<Item = Function> + '_ {
        let code = &self.code;
        code.match_indices("fn ").filter_map(move |(at, _)| {
            let before = code[..at].chars().next_back();
            if before.is_some_and(|c| c.is_alphanumeric() || c == '_') {
                return None;
            }
            let rest = &code[at..];
            let name: String =
                rest[3..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            let open = body_start(rest)?;
            let end = closing_brace(rest, open);
            let line = code[..at].matches('\n').count() + 1;
            let lines = rest[..end].matches('\n').count() + 1;
            (!name.is_empty()).then_some(Function { name, line, lines })
        })
    }
}

/// Where a function's body opens; none for a declaration or a type. A `;` in `[u8; 4]` does not count.
fn body_start(signature: &str) -> Option<usize> {
    let mut depth = 0_i32;
    for (at, character) in signature.char_indices() {
        match character {
            '(' | '[' => depth += 1,
            ')' | ']' => depth -= 1,
            '{' if depth == 0 => return Some(at),
            ';' | ',' | '=' | '}' if depth == 0 => return None,
            _ if depth < 0 => return None,
            _ => {}
        }
    }
    None
}

/// Where the brace closes that opens at `open`.
fn closing_brace(code: &str, open: usize) -> usize {
    let mut depth = 0;
    for (at, character) in code.char_indices().skip_while(|(at, _)| *at < open) {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at;
        }
    }
    code.len()
}

fn lines_only(text: &str) -> String {
    text.chars().filter(|character| *character == '\n').collect()
}

/// The text with comments and the insides of literals as spaces, byte for byte.
fn blanked(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut code = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = match bytes[at] {
            b'/' if bytes[at..].starts_with(b"//") => end_of_line(bytes, at),
            b'/' if bytes[at..].starts_with(b"/*") => end_of_block_comment(bytes, at),
            b'"' => end_of_string(bytes, at),
            b'r' if !joined(bytes, at) => end_of_raw_string(bytes, at).unwrap_or(at),
            b'\'' => end_of_character(bytes, at).unwrap_or(at),
            _ => at,
        };
        for byte in &mut code[at..end] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
        at = end.max(at + 1);
    }
    String::from_utf8(code).expect("blanks are ASCII")
}

/// Whether a letter goes on from a word before it; a `b` or `c` may stand before a literal.
fn joined(bytes: &[u8], at: usize) -> bool {
    let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let before = &bytes[..at];
    match before.split_last() {
        Some((b'b' | b'c', rest)) => rest.last().is_some_and(is_word),
        Some((last, _)) => is_word(last),
        None => false,
    }
}

fn end_of_line(bytes: &[u8], at: usize) -> usize {
    bytes[at..].iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |length| at + length)
}

fn end_of_block_comment(bytes: &[u8], start: usize) -> usize {
    let (mut at, mut depth) = (start, 0);
    while at < bytes.len() {
        if bytes[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if bytes[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    at
}

fn end_of_string(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

fn end_of_raw_string(bytes: &[u8], start: usize) -> Option<usize> {
    let hashes = bytes[start + 1..].iter().take_while(|byte| **byte == b'#').count();
    let open = start + 1 + hashes;
    if bytes.get(open) != Some(&b'"') {
        return None;
    }
    let close = [b"\"".as_slice(), &vec![b'#'; hashes]].concat();
    let inside = &bytes[open + 1..];
    let length = inside.windows(close.len()).position(|window| window == close)?;
    Some(open + 1 + length + close.len())
}

/// The end of a character literal; none for a lifetime.
fn end_of_character(bytes: &[u8], start: usize) -> Option<usize> {
    if bytes.get(start + 1) == Some(&b'\\') {
        let inside = &bytes[start + 3..];
        return inside.iter().position(|byte| *byte == b'\'').map(|length| start + 4 + length);
    }
    let text = std::str::from_utf8(&bytes[start + 1..]).ok()?;
    let length = text.chars().next()?.len_utf8();
    (bytes.get(start + 1 + length) == Some(&b'\'')).then_some(start + length + 2)
}

#[test]
fn comments_and_literals_are_blank() {
    let text = concat!(
        "let a = \"unsafe \\\" {\"; // unsafe {\n",
        "/* unsafe /* { */ } */ let b = r#\"unsafe \" {\"#;\n",
        "let c = ('{', '\\'', b'\\n', b\"unsafe\", br\"unsafe\"); fn f<'a>() {}\n",
        "let d = \"é{\"; for_unsafe(); let e = '\u{7b}';\n",
    );
    let source = Source::new(text);
    assert_eq!(source.lines_with("unsafe").count(), 0, "{}", source.code);
    assert_eq!(source.code.matches('{').count(), 1, "{}", source.code);
    assert_eq!(source.code.len(), text.len());
    assert!(source.code.contains("fn f<'a>() {}"));
}

#[test]
fn words_are_found_as_words() {
    let source =
        Source::new("use rustls::Error;\nlet my_rustls = 1;\nrustls_native();\nx(rustls);\n");
    assert_eq!(source.lines_with("rustls").collect::<Vec<_>>(), [1, 4]);
    let source = Source::new("std::fs::read();\nlet offs::x;\nfs::write();\n");
    assert_eq!(source.lines_with("fs::").collect::<Vec<_>>(), [1, 3]);
}

#[test]
fn tests_are_cut_off() {
    let text = "fn a() {}\n#[cfg(test)]\nmod tests;\nfn b() {}\n#[cfg(test)]\nmod more {\n  fn c() { unsafe }\n}\n";
    let source = Source::without_tests(text);
    assert_eq!(source.lines_with("unsafe").count(), 0);
    assert_eq!(source.functions().map(|f| (f.name, f.line)).collect::<Vec<_>>().len(), 2);
    assert_eq!(source.lines_with("b").next(), Some(4), "lines stay where they are");
    assert_eq!(source.code.lines().count(), 4, "tests at the end are not counted");
}

#[test]
fn functions_are_measured() {
    let text = "impl X {\n  pub async fn long<T: Fn(u8) -> [u8; 2]>(\n    a: T,\n  ) -> u8 {\n    0\n  }\n  fn declared(&self);\n  fn short() {}\n}\ntype F = fn (u8);\n";
    let source = Source::new(text);
    let functions: Vec<_> = source.functions().map(|f| (f.name, f.line, f.lines)).collect();
    assert_eq!(functions, [("long".to_owned(), 2, 5), ("short".to_owned(), 8, 1)]);
}
