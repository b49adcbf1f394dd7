//! Texts that are written again and again.

use crate::hash::Sink;

/// Most are no longer.
const SHORT: usize = 32;

/// A text that is written again and again: of fixed length, if it is short, so that the copy needs no call.
#[derive(Clone, Debug)]
pub struct Phrase {
    short: [u8; SHORT],
    len: usize,
    long: Box<[u8]>,
}

impl Phrase {
    /// The phrase that says `text`.
    pub fn new(text: &[u8]) -> Phrase {
        let (mut short, mut long) = ([0; SHORT], Box::default());
        match short.get_mut(..text.len()) {
            Some(room) => room.copy_from_slice(text),
            None => long = text.into(),
        }
        Phrase {
            short,
            len: text.len(),
            long,
        }
    }

    /// Writes the text.
    #[inline]
    pub fn write<S: Sink>(&self, out: &mut S) {
        if self.len <= SHORT {
            out.put_first(&self.short, self.len);
        } else {
            out.put(&self.long);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_every_length_are_written_as_they_are() {
        for len in 0..100u8 {
            let text: Vec<u8> = (0..len).collect();
            let mut out = b"before".to_vec();
            Phrase::new(&text).write(&mut out);
            assert_eq!(out, [&b"before"[..], &text].concat());
        }
    }
}
