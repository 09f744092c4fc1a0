//! Whoever asked, while an answer is worked out that takes long: nobody needs one who has left.

use std::io::{self, ErrorKind, Write};
use std::net::TcpStream;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

/// The client of one connection.
#[derive(Debug)]
pub struct Asker<'a> {
    connection: &'a TcpStream,
    /// Whether it may be sent [`CONTINUE`]: not before HTTP/1.1 (RFC 9110 §15.2).
    takes_interim: bool,
    was_called: bool,
}

/// What a client skips before the answer (RFC 9110 §15.2.1).
const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

impl<'a> Asker<'a> {
    pub fn new(connection: &'a TcpStream, takes_interim: bool) -> Asker<'a> {
        Asker { connection, takes_interim, was_called: false }
    }

    /// An error once the client has left. One that only says no more listens still, and looks the same until
    /// something is sent: whoever has left answers that with a reset. Never waits.
    pub fn is_there(&mut self) -> io::Result<()> {
        let mut polled = PollFd::new(self.connection, PollFlags::RDHUP);
        match poll(std::slice::from_mut(&mut polled), Some(&Timespec::default())) {
            // The next look tells.
            Err(Errno::INTR) => return Ok(()),
            outcome => outcome?,
        };
        let found = polled.revents();
        if found.intersects(PollFlags::ERR | PollFlags::HUP) {
            return Err(ErrorKind::ConnectionAborted.into());
        }
        if found.contains(PollFlags::RDHUP) && self.takes_interim && !self.was_called {
            self.was_called = true;
            // The first bytes of this connection: there is room for them.
            self.connection.write_all(CONTINUE)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::net::{Shutdown, TcpListener};
    use std::time::{Duration, Instant};

    use super::*;

    fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (client, listener.accept().unwrap().0)
    }

    /// Asks until the client's leaving is noticed.
    fn wait_until_gone(asker: &mut Asker<'_>) {
        let began = Instant::now();
        while asker.is_there().is_ok() {
            assert!(began.elapsed() < Duration::from_secs(30), "nobody notices");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    #[test]
    fn a_client_that_waits_is_there_and_hears_nothing() {
        let (mut client, connection) = pair();
        client.write_all(b"more").unwrap();
        let mut asker = Asker::new(&connection, true);
        assert!((0..3).all(|_| asker.is_there().is_ok()));
        client.set_nonblocking(true).unwrap();
        assert_eq!(client.read(&mut [0; 8]).unwrap_err().kind(), ErrorKind::WouldBlock);
    }

    #[test]
    fn a_client_that_has_left_is_noticed_also_behind_what_nobody_reads() {
        let (mut client, connection) = pair();
        client.write_all(b"more").unwrap();
        drop(client);
        wait_until_gone(&mut Asker::new(&connection, true));
    }

    #[test]
    fn a_client_that_only_says_no_more_is_there_and_is_called_once() {
        let (mut client, connection) = pair();
        client.shutdown(Shutdown::Write).unwrap();
        let mut asker = Asker::new(&connection, true);
        let began = Instant::now();
        while !asker.was_called {
            assert!(began.elapsed() < Duration::from_secs(30), "it is not called");
            asker.is_there().unwrap();
        }
        assert!((0..3).all(|_| asker.is_there().is_ok()));
        drop(connection);
        let mut heard = Vec::new();
        client.read_to_end(&mut heard).unwrap();
        assert_eq!(heard, CONTINUE);
    }

    #[test]
    fn a_client_of_http_1_0_is_not_called() {
        let (mut client, connection) = pair();
        client.shutdown(Shutdown::Write).unwrap();
        let mut asker = Asker::new(&connection, false);
        assert!((0..3).all(|_| asker.is_there().is_ok()));
        drop(connection);
        assert_eq!(client.read(&mut [0; 8]).unwrap(), 0);
    }
}
