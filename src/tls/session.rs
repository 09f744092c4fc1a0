//! One TLS session after its handshake: records opened and sealed, alerts, key updates, session tickets.
//! Decides; knows no socket.
//!
//! rustls derives the keys of an update and keeps the tickets; what a record means is decided here, as rustls
//! does it. A failure is final, and leaves the alert that the peer is to be told with.

use rustls::client::ClientConnectionData;
use rustls::kernel::KernelConnection;
use rustls::server::ServerConnectionData;
use rustls::{
    AlertDescription, Error, ExtractedSecrets, HandshakeType, InvalidMessage, PeerMisbehaved,
    ProtocolVersion, SupportedCipherSuite,
};

use super::record::{self, Content, Keys};
use crate::limits::{
    TLS_EMPTY_RECORDS_MAX, TLS_KEY_UPDATES_MAX, TLS_LATE_HANDSHAKE_MAX_BYTES, TLS_WARNINGS_MAX,
};

const WARNING: u8 = 1;
const FATAL: u8 = 2;
/// Type and length, in front of a handshake message.
const MESSAGE_HEADER_BYTES: usize = 4;
const UPDATE_NOT_REQUESTED: u8 = 0;
const UPDATE_REQUESTED: u8 = 1;

/// What rustls still does for a session.
pub enum Schedule {
    Client(KernelConnection<ClientConnectionData>),
    Server(KernelConnection<ServerConnectionData>),
}

/// One session.
pub struct Session {
    schedule: Schedule,
    is_tls13: bool,
    opening: Keys,
    sealing: Keys,
    /// Records that one key may seal.
    records_max: u64,
    /// Records that are to be sent before any other.
    pending: Vec<u8>,
    pending_is_tickets: bool,
    /// The answer to a key update is among them.
    update_answered: bool,
    /// A handshake message that is not there whole.
    message: Vec<u8>,
    /// The peer said that nothing more will come.
    is_ended: bool,
    /// We said so, or why we give up.
    is_closed: bool,
    failure: Option<Error>,
    patience: Patience,
}

/// How much more of what leads nowhere is borne.
struct Patience {
    empty_records: u8,
    warnings: u8,
    key_updates: u8,
    renegotiations: u8,
}

impl Default for Patience {
    fn default() -> Patience {
        Patience {
            empty_records: TLS_EMPTY_RECORDS_MAX,
            warnings: TLS_WARNINGS_MAX,
            key_updates: TLS_KEY_UPDATES_MAX,
            renegotiations: 1,
        }
    }
}

impl Session {
    /// A session with what its handshake left to be sent.
    pub fn new(
        secrets: ExtractedSecrets,
        schedule: Schedule,
        pending: Vec<u8>,
    ) -> Result<Session, Error> {
        let (version, suite) = match &schedule {
            Schedule::Client(client) => {
                (client.protocol_version(), client.negotiated_cipher_suite())
            }
            Schedule::Server(server) => {
                (server.protocol_version(), server.negotiated_cipher_suite())
            }
        };
        let is_tls13 = version == ProtocolVersion::TLSv1_3;
        let records_max = match suite {
            SupportedCipherSuite::Tls13(suite) => suite.common.confidentiality_limit,
            SupportedCipherSuite::Tls12(suite) => suite.common.confidentiality_limit,
        };
        let ExtractedSecrets { tx: (sent, tx), rx: (received, rx) } = secrets;
        let pending_is_tickets = is_tls13 && matches!(schedule, Schedule::Server(_));
        Ok(Session {
            schedule,
            is_tls13,
            opening: Keys::new(&rx, received, is_tls13)?,
            sealing: Keys::new(&tx, sent, is_tls13)?,
            records_max,
            pending,
            pending_is_tickets,
            update_answered: false,
            message: Vec::new(),
            is_ended: false,
            is_closed: false,
            failure: None,
            patience: Patience::default(),
        })
    }

    /// Whether the peer said that nothing more will come.
    pub fn is_ended(&self) -> bool {
        self.is_ended
    }

    /// Why the session is over, if it failed.
    pub fn failure(&self) -> Option<&Error> {
        self.failure.as_ref()
    }

    /// How long the record at the front of `bytes` is, as soon as that shows.
    pub fn record_len(&mut self, bytes: &[u8]) -> Result<Option<usize>, Error> {
        record::record_len(bytes, self.is_tls13).map_err(|error| self.fail(error))
    }

    /// The room that [`Session::take`] needs for this record.
    pub fn room_for(&self, record: &[u8]) -> usize {
        self.opening.opened_room(record)
    }

    /// Takes one whole record; returns how many bytes of data it put into `into`.
    pub fn take(&mut self, record: &[u8], into: &mut [u8]) -> Result<usize, Error> {
        self.opened(record, into).map_err(|error| self.fail(error))
    }

    fn opened(&mut self, record: &[u8], into: &mut [u8]) -> Result<usize, Error> {
        let outer = record.first().copied().unwrap_or_default();
        // RFC 8446 §5.2: whatever is inside, it looks like data. A change of ciphers is over with the handshake.
        let is_expected = match self.is_tls13 {
            true => outer == Content::Data as u8,
            false => outer != Content::ChangeCipherSpec as u8,
        };
        if !is_expected {
            return Err(unexpected_message());
        }
        let (content, len) = self.opening.open(record, into)?;
        if content != Content::Handshake && !self.message.is_empty() {
            return Err(PeerMisbehaved::MessageInterleavedWithHandshakeMessage.into());
        }
        let bytes = into.get(..len).unwrap_or_default();
        match content {
            Content::Data if len == 0 => {
                spend(&mut self.patience.empty_records, PeerMisbehaved::TooManyEmptyFragments)?;
            }
            Content::Data => {
                // Nothing but data shows that it leads somewhere.
                self.patience.empty_records = TLS_EMPTY_RECORDS_MAX;
                self.patience.key_updates = TLS_KEY_UPDATES_MAX;
                return Ok(len);
            }
            Content::Alert => self.alert(bytes)?,
            // RFC 8446 §5.1: only data may be none.
            Content::Handshake if len > 0 => self.handshake(bytes)?,
            Content::Handshake | Content::ChangeCipherSpec => return Err(unexpected_message()),
        }
        Ok(0)
    }

    fn alert(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let &[level, description] = bytes else {
            return Err(Error::InvalidMessage(InvalidMessage::TrailingData("AlertMessagePayload")));
        };
        let description = AlertDescription::from(description);
        let received = Error::AlertReceived(description);
        match (level, description) {
            (WARNING | FATAL, AlertDescription::CloseNotify) => self.is_ended = true,
            (WARNING, AlertDescription::UserCanceled) => {
                spend(&mut self.patience.warnings, PeerMisbehaved::TooManyWarningAlertsReceived)?;
            }
            (WARNING, _) if !self.is_tls13 => {
                spend(&mut self.patience.warnings, PeerMisbehaved::TooManyWarningAlertsReceived)?;
            }
            (FATAL, _) => {
                self.is_closed = true;
                return Err(received);
            }
            (WARNING, _) => return self.refuse(AlertDescription::DecodeError, received),
            _ => return self.refuse(AlertDescription::IllegalParameter, received),
        }
        Ok(())
    }

    /// Handshake messages that come after the handshake.
    fn handshake(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let mut message = std::mem::take(&mut self.message);
        message.extend_from_slice(bytes);
        let mut taken = 0;
        while let Some((&[kind, a, b, c], body)) =
            message.get(taken..).and_then(<[u8]>::split_first_chunk::<MESSAGE_HEADER_BYTES>)
        {
            let [_, high, middle, low] = [0, a, b, c];
            let len = usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low);
            if len > TLS_LATE_HANDSHAKE_MAX_BYTES {
                return Err(Error::InvalidMessage(InvalidMessage::HandshakePayloadTooLarge));
            }
            let Some((body, behind)) = body.split_at_checked(len) else { break };
            self.message_of(HandshakeType::from(kind), body, behind.is_empty())?;
            taken = message.len() - behind.len();
        }
        // In place: a message may come in many pieces.
        message.drain(..taken);
        if !message.is_empty() {
            self.message = message;
        }
        Ok(())
    }

    fn message_of(
        &mut self,
        kind: HandshakeType,
        body: &[u8],
        ends_record: bool,
    ) -> Result<(), Error> {
        match (kind, &mut self.schedule) {
            (HandshakeType::KeyUpdate, _) if self.is_tls13 => self.key_update(body, ends_record),
            (HandshakeType::NewSessionTicket, Schedule::Client(client)) if self.is_tls13 => {
                client.handle_new_session_ticket(body)
            }
            // TLS 1.2: the keys of a session stay as they are.
            (HandshakeType::HelloRequest, Schedule::Client(_))
            | (HandshakeType::ClientHello, Schedule::Server(_))
                if !self.is_tls13 =>
            {
                let renegotiations = &mut self.patience.renegotiations;
                spend(renegotiations, PeerMisbehaved::TooManyRenegotiationRequests)?;
                self.queue_alert(WARNING, AlertDescription::NoRenegotiation)
            }
            _ => Err(unexpected_message()),
        }
    }

    /// RFC 8446 §4.6.3: the peer's next record is under its next keys, and so is ours if it asks for that.
    fn key_update(&mut self, body: &[u8], ends_record: bool) -> Result<(), Error> {
        if !ends_record {
            return Err(PeerMisbehaved::KeyEpochWithPendingFragment.into());
        }
        spend(&mut self.patience.key_updates, PeerMisbehaved::TooManyKeyUpdateRequests)?;
        match body {
            [UPDATE_NOT_REQUESTED] => {}
            // One answer is enough, and none follows our end.
            [UPDATE_REQUESTED] if self.update_answered || self.is_closed => {}
            [UPDATE_REQUESTED] => {
                self.update_answered = true;
                self.update_sealing()?;
            }
            _ => {
                let error = Error::InvalidMessage(InvalidMessage::InvalidKeyUpdate);
                return self.refuse(AlertDescription::IllegalParameter, error);
            }
        }
        let (sequence, secrets) = match &mut self.schedule {
            Schedule::Client(client) => client.update_rx_secret()?,
            Schedule::Server(server) => server.update_rx_secret()?,
        };
        self.opening = Keys::new(&secrets, sequence, true)?;
        Ok(())
    }

    /// Tells the peer of our next keys, and takes them.
    pub fn update_sealing(&mut self) -> Result<(), Error> {
        let kind = u8::from(HandshakeType::KeyUpdate);
        self.queue(Content::Handshake, &[kind, 0, 0, 1, UPDATE_NOT_REQUESTED])?;
        let (sequence, secrets) = match &mut self.schedule {
            Schedule::Client(client) => client.update_tx_secret()?,
            Schedule::Server(server) => server.update_tx_secret()?,
        };
        self.sealing = Keys::new(&secrets, sequence, true)?;
        Ok(())
    }

    /// Whether records wait that are to be sent before any other.
    pub fn has_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    /// How long those records are.
    pub fn pending_bytes(&self) -> usize {
        self.pending.len()
    }

    /// Whether the peer may wait for one of them. It does not for the tickets of TLS 1.3: they leave with the
    /// first answer, or with the end.
    pub fn owes_an_answer(&self) -> bool {
        self.has_pending() && !self.pending_is_tickets
    }

    /// Those records, in the order of their making.
    pub fn take_pending(&mut self) -> Vec<u8> {
        self.update_answered = false;
        self.pending_is_tickets = false;
        std::mem::take(&mut self.pending)
    }

    /// How long the record is that carries `len` bytes.
    pub fn sealed_bytes(&self, len: usize) -> usize {
        self.sealing.sealed_bytes(len)
    }

    /// Has the keys of one more record ready: a key update is pending where it takes one.
    pub fn ready_to_seal(&mut self) -> Result<(), Error> {
        // RFC 8446 §6.1, §6.2: nothing follows our end, or an alert that ended the session.
        if self.is_closed {
            let failure = self.failure.clone();
            return Err(failure.unwrap_or_else(|| Error::General("sent behind the end".into())));
        }
        // The record that tells of the next keys is the last under these.
        if self.sealing.sequence().saturating_add(1) < self.records_max {
            return Ok(());
        }
        if self.is_tls13 {
            return self.update_sealing();
        }
        self.close()?;
        Err(Error::EncryptError)
    }

    #[cfg(test)]
    pub(super) fn set_records_max(&mut self, records: u64) {
        self.records_max = records;
    }

    /// Seals data as one record; whatever is pending goes out before it.
    pub fn seal(&mut self, data: &[u8], out: &mut [u8]) -> Result<usize, Error> {
        self.sealing.seal(Content::Data, data, out)
    }

    /// Says that nothing more will come from us; once.
    pub fn close(&mut self) -> Result<(), Error> {
        if std::mem::replace(&mut self.is_closed, true) {
            return Ok(());
        }
        self.queue_alert(WARNING, AlertDescription::CloseNotify)
    }

    /// The stream ended: an error, unless the peer said that it would.
    pub fn check_end(&self) -> Result<(), std::io::Error> {
        match (self.is_ended, &self.failure) {
            (true, _) => Ok(()),
            (false, Some(error)) => Err(invalid_data(error.clone())),
            (false, None) => Err(std::io::ErrorKind::UnexpectedEof.into()),
        }
    }

    fn queue_alert(&mut self, level: u8, description: AlertDescription) -> Result<(), Error> {
        self.queue(Content::Alert, &[level, u8::from(description)])
    }

    /// Puts a record behind those that wait.
    pub fn queue(&mut self, content: Content, bytes: &[u8]) -> Result<(), Error> {
        self.pending_is_tickets = false;
        let at = self.pending.len();
        self.pending.resize(at + self.sealing.sealed_bytes(bytes.len()), 0);
        let room = self.pending.get_mut(at..).unwrap_or_default();
        self.sealing.seal(content, bytes, room).map(|_| ())
    }

    /// Puts a record without data behind those that wait (RFC 8446 §5.1: there may be such).
    pub fn queue_empty_data(&mut self) -> Result<(), Error> {
        self.ready_to_seal()?;
        self.queue(Content::Data, &[])
    }

    /// Ends the session with an alert of this description.
    fn refuse(&mut self, description: AlertDescription, error: Error) -> Result<(), Error> {
        if !std::mem::replace(&mut self.is_closed, true) {
            self.queue_alert(FATAL, description)?;
        }
        Err(error)
    }

    /// Keeps the failure, and has the peer told of it.
    fn fail(&mut self, error: Error) -> Error {
        let description = match &error {
            Error::DecryptError => AlertDescription::BadRecordMac,
            Error::PeerSentOversizedRecord => AlertDescription::RecordOverflow,
            Error::InvalidMessage(_) => AlertDescription::DecodeError,
            Error::InappropriateMessage { .. } | Error::PeerMisbehaved(_) => {
                AlertDescription::UnexpectedMessage
            }
            _ => AlertDescription::InternalError,
        };
        // Without keys for it there is no alert; the connection ends either way.
        let _ = self.refuse(description, error.clone());
        self.failure = Some(error.clone());
        error
    }
}

/// A rustls error as one of input.
pub fn invalid_data(error: Error) -> std::io::Error {
    std::io::Error::new(std::io::ErrorKind::InvalidData, error)
}

fn spend(left: &mut u8, otherwise: PeerMisbehaved) -> Result<(), Error> {
    *left = left.checked_sub(1).ok_or(Error::PeerMisbehaved(otherwise))?;
    Ok(())
}

fn unexpected_message() -> Error {
    Error::InappropriateMessage {
        expect_types: vec![rustls::ContentType::ApplicationData],
        got_type: rustls::ContentType::Handshake,
    }
}
