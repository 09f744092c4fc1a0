//! The one frame that is written here: the close of somebody in between who goes away (RFC 6455 §5.5.1, §7.4.1).

use aws_lc_rs::rand;

use super::frames::Sender;

/// FIN and the opcode of a close.
const CLOSE: u8 = 0x88;
const MASKED: u8 = 0x80;
/// "An endpoint is going away, such as a server going down."
const GOING_AWAY: [u8; 2] = 1001_u16.to_be_bytes();

/// The close with the code 1001, as this side writes it.
pub fn going_away(sender: Sender) -> Vec<u8> {
    let [high, low] = GOING_AWAY;
    let len = GOING_AWAY.len() as u8;
    match sender {
        Sender::Server => vec![CLOSE, len, high, low],
        Sender::Client => {
            let mut mask = [0; 4];
            // What is masked is known to everybody: a mask of zeros is as good where there is none.
            let _ = rand::fill(&mut mask);
            let [a, b, c, d] = mask;
            vec![CLOSE, MASKED | len, a, b, c, d, high ^ a, low ^ b]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::frames::{Ahead, Frames, Unit};
    use super::*;

    #[test]
    fn a_goodbye_is_a_close_behind_which_nothing_may_follow() {
        for sender in [Sender::Client, Sender::Server] {
            let bytes = going_away(sender);
            let mut frames = Frames::new(sender, false);
            assert!(frames.may_say_goodbye());
            let (header, ahead) = frames.next(&bytes).unwrap();
            let payload = Ahead::Payload { len: 2, unit: Unit::Control, is_compressed: false };
            assert_eq!(ahead, payload);
            let mut code = [0; 2];
            frames.unmask(&bytes[header..], &mut code);
            assert_eq!(u16::from_be_bytes(code), 1001);
            frames.take(2);
            let end = Ahead::End { unit: Unit::Control, is_compressed: false };
            assert_eq!(frames.next(&[]).unwrap(), (0, end));
            assert!(!frames.may_say_goodbye());
        }
    }

    #[test]
    fn a_goodbye_may_stand_between_frames_and_within_none() {
        let mut frames = Frames::new(Sender::Server, false);
        // The first of the fragments of a message: another frame may follow it.
        let fragment = [0x01, 0x02, b'h', b'i'];
        for (at, byte) in fragment.iter().enumerate() {
            let (taken, ahead) = frames.next(&[*byte]).unwrap();
            if let Ahead::Payload { len, .. } = ahead {
                frames.take(len);
                frames.next(&[]).unwrap();
            } else {
                assert_eq!(taken, 1);
            }
            assert_eq!(frames.may_say_goodbye(), at + 1 == fragment.len(), "{at}");
        }
    }
}
