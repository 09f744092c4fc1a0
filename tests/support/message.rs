//! HTTP/1.1 messages as a strict peer reads them: one message, not a byte more, framing checked.

use std::ops::Deref;

use super::connection::{Connection, End, lossy};

/// A start line and its header fields, with the bytes they came in.
#[derive(Clone, Debug)]
pub struct Head {
    pub start: String,
    pub headers: Vec<(String, String)>,
    pub raw: Vec<u8>,
}

impl Head {
    fn parse(raw: Vec<u8>) -> Head {
        let text: String = raw.iter().map(|&byte| char::from(byte)).collect();
        let text = text.strip_suffix("\r\n\r\n").expect("a whole head");
        let mut lines = text.split("\r\n");
        let start = lines.next().unwrap().to_owned();
        let headers = lines
            .map(|line| {
                let (name, value) = line.split_once(':').unwrap_or_else(|| panic!("{line:?}"));
                (name.to_owned(), value.trim().to_owned())
            })
            .collect();
        Head { start, headers, raw }
    }

    /// The first field of this name.
    pub fn header(&self, name: &str) -> Option<&str> {
        let named = |(key, _): &&(String, String)| key.eq_ignore_ascii_case(name);
        self.headers.iter().find(named).map(|(_, value)| value.as_str())
    }

    /// Every field of this name, in order.
    pub fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let named = move |(key, _): &&(String, String)| key.eq_ignore_ascii_case(name);
        self.headers.iter().filter(named).map(|(_, value)| value.as_str())
    }

    /// The field names as they were written, in order.
    pub fn names(&self) -> Vec<&str> {
        self.headers.iter().map(|(name, _)| name.as_str()).collect()
    }

    fn is_chunked(&self) -> bool {
        self.header("transfer-encoding")
            .is_some_and(|coding| coding.eq_ignore_ascii_case("chunked"))
    }

    fn length(&self) -> Option<usize> {
        self.header("content-length").map(|length| length.parse().expect("a length"))
    }
}

/// A message body as it was framed and as it was meant.
#[derive(Clone, Debug, Default)]
pub struct Body {
    pub data: Vec<u8>,
    pub raw: Vec<u8>,
    pub trailers: Vec<String>,
}

/// A whole request.
#[derive(Clone, Debug)]
pub struct Request {
    pub head: Head,
    pub body: Vec<u8>,
    pub raw_body: Vec<u8>,
    pub trailers: Vec<String>,
}

impl Deref for Request {
    type Target = Head;
    fn deref(&self) -> &Head {
        &self.head
    }
}

impl Request {
    pub fn method(&self) -> &str {
        self.head.start.split(' ').next().unwrap()
    }

    pub fn target(&self) -> &str {
        self.head.start.split(' ').nth(1).unwrap()
    }
}

/// A whole response.
#[derive(Clone, Debug)]
pub struct Response {
    pub head: Head,
    pub body: Vec<u8>,
    pub raw_body: Vec<u8>,
    pub trailers: Vec<String>,
}

impl Deref for Response {
    type Target = Head;
    fn deref(&self) -> &Head {
        &self.head
    }
}

impl Response {
    pub fn status(&self) -> u16 {
        status_of(&self.head)
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error} in {}", lossy(&self.body)))
    }
}

/// What there was of a message that never ended as its framing says.
#[derive(Debug)]
pub struct Incomplete {
    pub received: Vec<u8>,
    pub end: End,
}

fn status_of(head: &Head) -> u16 {
    let status = head.start.split(' ').nth(1).unwrap_or_else(|| panic!("{:?}", head.start));
    status.parse().unwrap_or_else(|_| panic!("{:?}", head.start))
}

impl Connection {
    /// The next head.
    pub fn receive_head(&mut self) -> Head {
        Head::parse(self.receive_through(b"\r\n\r\n"))
    }

    /// The next request; `None` where the peer ended in between.
    pub fn try_receive_request(&mut self) -> Option<Request> {
        let head = self.try_receive_request_head()?;
        self.try_receive_request_body(head)
    }

    /// The head of the next request; `None` where the peer ended before its end.
    pub fn try_receive_request_head(&mut self) -> Option<Head> {
        self.try_receive_through(b"\r\n\r\n").ok().map(Head::parse)
    }

    /// The rest of a request; `None` where the peer ended before its end.
    pub fn try_receive_request_body(&mut self, head: Head) -> Option<Request> {
        let body = if head.is_chunked() {
            self.receive_chunked()
        } else {
            self.receive_length(head.length().unwrap_or(0))
        };
        let Body { data, raw, trailers } = body.ok()?;
        Some(Request { head, body: data, raw_body: raw, trailers })
    }

    /// The next request.
    pub fn receive_request(&mut self) -> Request {
        self.try_receive_request().expect("a request")
    }

    /// The next response, to a request that is not HEAD or CONNECT.
    pub fn receive_response(&mut self) -> Response {
        self.receive_response_to("GET")
    }

    /// The next response, interim ones included, to a request with this method.
    pub fn receive_response_to(&mut self, method: &str) -> Response {
        self.try_receive_response_to(method).unwrap_or_else(|incomplete| {
            panic!("{:?} within {}", incomplete.end, lossy(&incomplete.received))
        })
    }

    /// The next response, or what there was of it.
    pub fn try_receive_response_to(&mut self, method: &str) -> Result<Response, Incomplete> {
        let raw = self
            .try_receive_through(b"\r\n\r\n")
            .map_err(|(received, end)| Incomplete { received, end })?;
        let head = Head::parse(raw);
        let status = status_of(&head);
        let bodiless = method == "HEAD"
            || (method == "CONNECT" && status == 200)
            || (100..200).contains(&status)
            || status == 204
            || status == 304;
        let body = if bodiless {
            Ok(Body::default())
        } else if head.is_chunked() {
            self.receive_chunked()
        } else if let Some(length) = head.length() {
            self.receive_length(length)
        } else {
            match self.receive_to_end() {
                (data, End::Closed) => Ok(Body { raw: data.clone(), data, trailers: vec![] }),
                (received, end) => Err(Incomplete { received, end }),
            }
        };
        let Body { data, raw, trailers } = body?;
        Ok(Response { head, body: data, raw_body: raw, trailers })
    }

    fn receive_length(&mut self, length: usize) -> Result<Body, Incomplete> {
        let data = self
            .try_receive_exact(length)
            .map_err(|(received, end)| Incomplete { received, end })?;
        Ok(Body { raw: data.clone(), data, trailers: vec![] })
    }

    /// A chunked body, strictly.
    pub fn receive_chunked(&mut self) -> Result<Body, Incomplete> {
        let mut body = Body::default();
        let incomplete = |body: &Body, (rest, end): (Vec<u8>, End)| Incomplete {
            received: [body.data.as_slice(), &rest].concat(),
            end,
        };
        loop {
            let line = self.try_receive_through(b"\r\n").map_err(|cut| incomplete(&body, cut))?;
            body.raw.extend_from_slice(&line);
            let size = std::str::from_utf8(&line).unwrap().trim_end();
            let size = size.split(';').next().unwrap();
            let size = usize::from_str_radix(size, 16).unwrap_or_else(|_| panic!("{size:?}"));
            if size == 0 {
                break;
            }
            let data = self.try_receive_exact(size + 2).map_err(|cut| incomplete(&body, cut))?;
            assert_eq!(&data[size..], b"\r\n", "a chunk ends with CRLF");
            body.raw.extend_from_slice(&data);
            body.data.extend_from_slice(&data[..size]);
        }
        loop {
            let line = self.try_receive_through(b"\r\n").map_err(|cut| incomplete(&body, cut))?;
            body.raw.extend_from_slice(&line);
            if line == b"\r\n" {
                return Ok(body);
            }
            body.trailers.push(String::from_utf8_lossy(&line).trim_end().to_owned());
        }
    }
}

/// A body as one chunk a piece, and the last chunk.
pub fn chunked(pieces: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::new();
    for piece in pieces.iter().filter(|piece| !piece.is_empty()) {
        out.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
        out.extend_from_slice(piece);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"0\r\n\r\n");
    out
}
