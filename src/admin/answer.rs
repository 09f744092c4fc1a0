//! Answers of the admin listener, whole: one a connection, never cached.

use std::io::{self, Write};
use std::net::TcpStream;

use crate::limits::ADMIN_LAST_BYTES;

/// An answer.
#[derive(Clone, Debug)]
pub struct Answer {
    status: u16,
    content_type: &'static str,
    /// Further fields, each with its line end.
    fields: &'static str,
    body: Body,
}

#[derive(Clone, Debug)]
enum Body {
    Fixed(&'static str),
    Made(String),
}

/// To one more connection, stream or query than there may be.
pub const BUSY: Answer = Answer {
    status: 503,
    content_type: PLAIN,
    fields: "Retry-After: 1\r\n",
    body: Body::Fixed("too many connections to the admin listener\n"),
};

const PLAIN: &str = "text/plain; charset=utf-8";

impl Answer {
    /// Words.
    pub fn text(status: u16, body: &str) -> Answer {
        Answer::of(status, PLAIN, body.to_owned())
    }

    /// A JSON document.
    pub fn json(status: u16, body: String) -> Answer {
        Answer::of(status, "application/json", body)
    }

    /// A document of another type.
    pub fn of(status: u16, content_type: &'static str, body: String) -> Answer {
        Answer { status, content_type, fields: "", body: Body::Made(body) }
    }

    /// With further fields, each with its line end.
    pub fn with(mut self, fields: &'static str) -> Answer {
        self.fields = fields;
        self
    }

    /// What was asked for cannot be told.
    pub fn failed(message: &str) -> Answer {
        Answer::text(500, &format!("{message}\n"))
    }

    /// Sends it.
    pub fn write(&self, connection: &mut TcpStream, is_head: bool) -> io::Result<()> {
        connection.write_all(&self.bytes(is_head))
    }

    /// Sends it, and gives its place back before the last bytes: whoever has the whole answer and asks again finds
    /// a place.
    pub fn write_and_leave<P>(
        self,
        connection: &mut TcpStream,
        is_head: bool,
        place: P,
    ) -> io::Result<()> {
        let mut bytes = self.bytes(is_head);
        drop(self);
        let last = bytes.split_off(bytes.len().saturating_sub(ADMIN_LAST_BYTES));
        connection.write_all(&bytes)?;
        drop(bytes);
        drop(place);
        connection.write_all(&last)
    }

    fn bytes(&self, is_head: bool) -> Vec<u8> {
        let body = match &self.body {
            Body::Fixed(body) => body,
            Body::Made(body) => body.as_str(),
        };
        let mut bytes = format!(
            "{}{}Content-Length: {}\r\n\r\n",
            head(self.status, self.content_type),
            self.fields,
            body.len()
        );
        if !is_head {
            bytes.push_str(body);
        }
        bytes.into_bytes()
    }
}

/// The head but for its framing and its last line.
pub fn head(status: u16, content_type: &str) -> String {
    let reason = match status {
        200 => "OK",
        400 => "Bad Request",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        503 => "Service Unavailable",
        _ => "",
    };
    format!(
        "HTTP/1.1 {status} {reason}\r\nContent-Type: {content_type}\r\nCache-Control: no-store\r\n\
         X-Content-Type-Options: nosniff\r\nConnection: close\r\n"
    )
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::net::TcpListener;
    use std::sync::mpsc::{Sender, channel};

    use super::*;

    /// Says that it was dropped.
    struct Place(Sender<()>);

    impl Drop for Place {
        fn drop(&mut self) {
            self.0.send(()).unwrap();
        }
    }

    #[test]
    fn whoever_has_the_whole_answer_finds_its_place_free() {
        for body in [String::new(), "x".repeat(3 * ADMIN_LAST_BYTES)] {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let mut connection = listener.accept().unwrap().0;
            let expected = Answer::json(200, body.clone()).bytes(false);
            let (left, has_left) = channel();
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    let answer = Answer::json(200, body.clone());
                    answer.write_and_leave(&mut connection, false, Place(left)).unwrap();
                });
                let mut read = vec![0; expected.len()];
                client.read_exact(&mut read).unwrap();
                has_left.try_recv().unwrap();
                assert_eq!(read, expected);
            });
        }
    }
}
