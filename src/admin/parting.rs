//! Answers that go out before the request was read: closing a connection with bytes unread resets it, and the answer may
//! be lost with that (RFC 9112 §9.6). So our side is ended first, and what still comes is read away.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use super::answer;
use crate::limits::{ADMIN_LINGER_BYTES, ADMIN_LINGER_MS, ADMIN_TURNED_AWAY_KEPT};

/// Behind a refusal: until the client has ended its side, a bounded amount for a bounded time.
pub fn read_away(connection: &mut TcpStream) -> io::Result<()> {
    connection.shutdown(Shutdown::Write)?;
    let deadline = Instant::now() + Duration::from_millis(ADMIN_LINGER_MS);
    let mut piece = [0; 2048];
    let mut left = ADMIN_LINGER_BYTES;
    while left > 0 {
        let wait = deadline.saturating_duration_since(Instant::now());
        if wait.is_zero() {
            break;
        }
        connection.set_read_timeout(Some(wait))?;
        match connection.read(&mut piece) {
            Ok(0) => break,
            Ok(len) => left = left.saturating_sub(len),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Connections that there was no place for. They were answered, and nobody waits for their requests: each stays open
/// until so many others came, and what it sent by then is read away.
#[derive(Debug, Default)]
pub struct TurnedAway(VecDeque<TcpStream>);

impl TurnedAway {
    /// Answers one more. Never waits for it.
    pub fn take(&mut self, mut connection: TcpStream) {
        // Best effort: whoever opened so many connections may not read it.
        let _ = answer::BUSY.write(&mut connection, false);
        let _ = connection.shutdown(Shutdown::Write);
        self.0.push_back(connection);
        if self.0.len() > ADMIN_TURNED_AWAY_KEPT
            && let Some(mut oldest) = self.0.pop_front()
            && oldest.set_nonblocking(true).is_ok()
        {
            let _ = oldest.read(&mut [0; 2048]);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::TcpListener;

    use super::*;

    /// A client, and our side of its connection.
    fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (client, listener.accept().unwrap().0)
    }

    /// What a client finds that sends all that it has before it reads.
    fn heard(mut client: TcpStream) -> io::Result<String> {
        for _ in 0..8 {
            client.write_all(&[b'x'; 1024])?;
            std::thread::sleep(Duration::from_millis(5));
        }
        let mut heard = String::new();
        client.read_to_string(&mut heard).map(|_| heard)
    }

    #[test]
    fn a_refusal_reaches_a_client_that_is_still_sending() {
        let (client, mut connection) = pair();
        let client = std::thread::spawn(|| heard(client));
        connection.write_all(b"refused").unwrap();
        read_away(&mut connection).unwrap();
        drop(connection);
        assert_eq!(client.join().unwrap().unwrap(), "refused");
    }

    #[test]
    fn a_client_that_goes_on_and_one_that_is_silent_are_not_read_for_long() {
        let (client, mut connection) = pair();
        let sender = std::thread::spawn(move || {
            let mut client = client;
            while client.write_all(&[b'x'; 4096]).is_ok() {}
        });
        read_away(&mut connection).unwrap();
        drop(connection);
        sender.join().unwrap();
        let (_client, mut silent) = pair();
        let began = Instant::now();
        assert_eq!(read_away(&mut silent).unwrap_err().kind(), ErrorKind::WouldBlock);
        assert!(began.elapsed() >= Duration::from_millis(ADMIN_LINGER_MS));
    }

    #[test]
    fn so_many_that_were_turned_away_find_their_answer_and_then_the_end() {
        let mut turned_away = TurnedAway::default();
        let mut clients = Vec::new();
        for _ in 0..=ADMIN_TURNED_AWAY_KEPT {
            let (client, connection) = pair();
            turned_away.take(connection);
            assert!(turned_away.0.len() <= ADMIN_TURNED_AWAY_KEPT);
            clients.push(client);
        }
        let last = clients.pop().unwrap();
        let answer = heard(last).unwrap();
        assert!(answer.starts_with("HTTP/1.1 503 ") && answer.ends_with("listener\n"), "{answer}");
    }
}
