//! Lines out of pieces of a file.

use super::line::MAX_LINE;

/// Cuts what it is fed into lines, remembering at most one of them: a longer one than [`MAX_LINE`]
/// comes out cut to `MAX_LINE + 1` bytes, which [`super::Published::parse`] refuses.
#[derive(Debug, Default)]
pub struct Lines {
    kept: Vec<u8>,
}

impl Lines {
    /// Calls `show` with every line that ends within `piece`, without its line feed.
    pub fn feed(&mut self, mut piece: &[u8], show: &mut dyn FnMut(&[u8])) {
        while let Some(end) = piece.iter().position(|byte| *byte == b'\n') {
            let (line, rest) = (&piece[..end], &piece[end + 1..]);
            if self.kept.is_empty() {
                show(&line[..line.len().min(MAX_LINE + 1)]);
            } else {
                self.keep(line);
                show(&self.kept);
                self.kept.clear();
            }
            piece = rest;
        }
        self.keep(piece);
    }

    /// Calls `show` with what comes after the last line feed, if anything does.
    pub fn finish(self, show: &mut dyn FnMut(&[u8])) {
        if !self.kept.is_empty() {
            show(&self.kept);
        }
    }

    fn keep(&mut self, piece: &[u8]) {
        let room = MAX_LINE + 1 - self.kept.len();
        self.kept.extend_from_slice(&piece[..piece.len().min(room)]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: &[u8], size: usize) -> Vec<Vec<u8>> {
        let mut all = Vec::new();
        let mut lines = Lines::default();
        let mut show = |line: &[u8]| all.push(line.to_vec());
        for piece in text.chunks(size) {
            lines.feed(piece, &mut show);
        }
        lines.finish(&mut show);
        all
    }

    #[test]
    fn pieces_do_not_matter() {
        let texts: [(&[u8], &[&[u8]]); 6] = [
            (b"", &[]),
            (b"\n", &[b""]),
            (b"ab\ncd", &[b"ab", b"cd"]),
            (b"ab\ncd\n", &[b"ab", b"cd"]),
            (b"\n\nab\n\n", &[b"", b"", b"ab", b""]),
            (b"abc", &[b"abc"]),
        ];
        for (text, expected) in texts {
            for size in 1..8 {
                assert_eq!(cut(text, size), expected, "{text:?} by {size}");
            }
        }
    }

    #[test]
    fn long_lines_are_cut() {
        let text = [vec![b'x'; 3 * MAX_LINE], b"\ny".to_vec()].concat();
        for size in [1000, MAX_LINE, MAX_LINE + 1, text.len()] {
            let lines = cut(&text, size);
            assert_eq!(lines.len(), 2);
            assert_eq!(lines[0].len(), MAX_LINE + 1);
            assert_eq!(lines[1], b"y");
        }
    }
}
