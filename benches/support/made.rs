//! Texts that are made, the same each time: what a bench reads where no traffic is at hand.
#![allow(dead_code, reason = "each bench uses its own part")]

/// Numbers in an order that nothing foresees, the same each time.
pub struct Numbers(pub u64);

impl Numbers {
    pub fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963);
        (self.0 >> 33) as usize % end
    }

    pub fn pick<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }
}

fn made(bytes: usize, mut part: impl FnMut(&mut Numbers, &mut String)) -> String {
    let (mut numbers, mut text) = (Numbers(7), String::new());
    while text.len() < bytes {
        part(&mut numbers, &mut text);
    }
    text.truncate(bytes);
    text
}

/// What a model writes to people.
pub fn prose(bytes: usize) -> String {
    let words = [
        "the",
        "of",
        "a",
        "it's",
        "connection",
        "which",
        "we",
        "read",
        "once",
        "and",
        "don't",
        "\"quoted\"",
        "buffer",
        "is",
        "(mostly)",
        "then",
        "50%",
        "written",
        "back",
        "to",
    ];
    made(bytes, |numbers, text| {
        text.push_str(numbers.pick(&words));
        text.push_str(numbers.pick(&[" ", " ", " ", " ", " ", ", ", ". ", ".\n\n", ": "]));
    })
}

/// What it writes to compilers.
pub fn code(bytes: usize) -> String {
    let lines = [
        "    let total: u64 = values.iter().map(|value| value.len()).sum();\n",
        "        if index >= MAX_CONNECTIONS_PER_HOST { return Err(Error::TooMany(index)); }\n",
        "    println!(\"{total} of {}\", names.join(\", \"));\n",
        "use crate::scan::view::{DefaultHasherBuilder, connection::ConnectionPoolConfiguration};\n",
        "                self.is_open && !self.path.starts_with(\"/usr/local/lib/python3/site\")\n",
        "    # it's a comment which says why this is so\n",
        "    return f\"{name!r}: {value:%d}\" if name else ''\n",
        "}\n\n",
    ];
    made(bytes, |numbers, text| text.push_str(numbers.pick(&lines)))
}
